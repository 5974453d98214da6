using RbdBackup.Configuration;
using RbdBackup.Core.Model;

namespace RbdBackup.Volumes;

/// <summary>Which server or volume an image belongs to, by the names that Nova and Cinder give. Pure.</summary>
internal static class DiskNames
{
    private const string Volume = "volume-", Server = "_disk";
    private const int Uuid = 36;

    /// <summary>The volume's id; null where it is no volume.</summary>
    public static string? VolumeOf(DiskPools pools, ImageSpec image) =>
        pools.Volumes.Contains(image.Pool) && image.Namespace.Length == 0 && image.Name.StartsWith(Volume, StringComparison.Ordinal) ? Id(image.Name[Volume.Length..]) : null;

    /// <summary>The server's id; null where it is no server's disk.</summary>
    public static string? ServerOf(DiskPools pools, ImageSpec image) =>
        pools.Servers.Contains(image.Pool) && image.Namespace.Length == 0 && image.Name.Length > Uuid && image.Name[Uuid..].StartsWith(Server, StringComparison.Ordinal)
            ? Id(image.Name[..Uuid]) : null;

    /// <summary>True for the disk that a server boots from.</summary>
    public static bool IsRoot(string name) => name.EndsWith(Server, StringComparison.Ordinal);

    /// <summary>The disks that an id may mean: a volume, and a server's root disk.</summary>
    public static IReadOnlyList<ImageSpec> Of(DiskPools pools, string id) =>
        [.. pools.Volumes.Select(p => new ImageSpec(p, Volume + id)), .. pools.Servers.Select(p => new ImageSpec(p, id + Server))];

    private static string? Id(string text) => Guid.TryParseExact(text, "D", out var id) && id.ToString("D") == text ? text : null;
}
