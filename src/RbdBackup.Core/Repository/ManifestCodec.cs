using System.Text.Json;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>A manifest's bytes: <c>{"sha256":"…","manifest":{…}}</c>, the digest being that of the manifest value's exact bytes.</summary>
public static class ManifestCodec
{
    private const string Name = "manifest";

    /// <summary>The bytes to store.</summary>
    public static byte[] Write(Manifest manifest) => DigestedJson.Write(Name, JsonSerializer.SerializeToUtf8Bytes(manifest, RepositoryJson.Default.Manifest));

    /// <summary>Reads what <see cref="Write"/> gave, with its digest and format checked.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>, or <see cref="ErrorKind.Unsupported"/> for a newer format.</exception>
    public static Manifest Read(byte[] stored, string key)
    {
        var manifest = RepositoryFormat.ReadJson(DigestedJson.Open(Name, stored, key), RepositoryJson.Default.Manifest, key);
        var expected = Keys.Manifest(manifest.Disk.Key, manifest.Point, manifest.Revision, manifest.Attempt, manifest.Kind, manifest.StoredBytes);
        return key == expected
            ? manifest
            : throw RepositoryFormat.Corrupt(key, "holds the manifest of another point");
    }
}
