using RbdBackup.Core.Repository;

namespace RbdBackup.EndToEnd.Proof;

/// <summary>Manifests that say something wrong, with a digest that is right.</summary>
internal static class Forge
{
    /// <summary>Another snapshot in a manifest's file.</summary>
    public static void Snapshot(string path, ulong id)
    {
        var key = path[(path.LastIndexOf("/points/", StringComparison.Ordinal) + 1)..];
        var manifest = ManifestCodec.Read(File.ReadAllBytes(path), key);
        File.WriteAllBytes(path, ManifestCodec.Write(manifest with { Snapshot = manifest.Snapshot with { Id = id } }));
    }
}
