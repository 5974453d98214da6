using RbdBackup.Core.Model;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>What is asked of a server that shall be made of a server point.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Flavor">Its flavor's id or name; null: the kept one.</param>
/// <param name="Networks">The networks' ids; empty: the kept ones.</param>
/// <param name="KeyName">The key that it is given; null: none, since keys belong to users, and the disk has the old one.</param>
internal sealed record NewServerAsk(string Name, string? Flavor, IReadOnlyList<string> Networks, string? KeyName);

/// <summary>A volume that is made for the new server.</summary>
/// <param name="Disk">The disk whose point fills it.</param>
/// <param name="Kept">What is known of the volume that it was; null for a root disk that was none.</param>
/// <param name="Name">Its name.</param>
/// <param name="Size">Its size in GiB.</param>
/// <param name="ImageMetadata">What Nova reads of it as of an image.</param>
internal sealed record PlannedVolume(ServerPointDisk Disk, VolumeDescription? Kept, string Name, long Size, IReadOnlyDictionary<string, string> ImageMetadata)
{
    /// <summary>True for what the server boots from.</summary>
    public bool IsRoot => Disk.BootIndex == 0;
}

/// <summary>A disk of Nova's that is exchanged for the restored one.</summary>
/// <param name="Disk">The disk whose point it gets.</param>
/// <param name="Suffix">What follows the new server's id in the image's name: old releases called the ephemeral disk otherwise.</param>
internal sealed record PlannedDisk(ServerPointDisk Disk, string Suffix)
{
    /// <summary>Its size in GiB, of which Nova makes it first.</summary>
    public int Size => NewServerPlanner.GiBOf(Disk.Size);
}

/// <summary>How a new server is made of a server point.</summary>
/// <param name="ImageId">The Glance image that it is made of; null where it boots from a volume.</param>
/// <param name="FlavorId">Its flavor.</param>
/// <param name="Networks">Its networks.</param>
/// <param name="Volumes">Its volumes, in the order in which they are attached.</param>
/// <param name="Local">The disks of Nova's that are exchanged while it is off.</param>
internal sealed record NewServerPlan(
    string? ImageId, string FlavorId, IReadOnlyList<ServerNetwork> Networks, IReadOnlyList<PlannedVolume> Volumes, IReadOnlyList<PlannedDisk> Local)
{
    /// <summary>True where all disks are volumes: it is made with them, and boots once, right.</summary>
    public bool IsDirect => Local.Count == 0;

    /// <summary>The sizes of its ephemeral disks in GiB, in order.</summary>
    public IReadOnlyList<int> Ephemerals => [.. Local.Where(d => d.Disk.Role == DiskRole.Ephemeral).Select(d => d.Size)];
}

/// <summary>
/// Decides how a new server gets its disks. It is made of the Glance image that the old one was made of, where that is still there: so it is of the same kind, and Nova knows its image as
/// before; its root disk is then exchanged. Where the image is gone, or the old one booted from a volume, it boots from a volume. Nova alone can make ephemeral disks: it makes as many as
/// there were, of the same sizes, and they are exchanged. Pure.
/// </summary>
internal static class NewServerPlanner
{
    private const long GiB = 1L << 30;
    private static readonly string[] OfTheOldOne = ["now", "status", "restore", "restore_status"];

    /// <summary>Plans.</summary>
    /// <param name="point">The server point, whole.</param>
    /// <param name="ask">What is asked for.</param>
    /// <param name="flavors">The flavors that there are.</param>
    /// <param name="imageIsThere">True where the kept Glance image is there and active.</param>
    /// <exception cref="RbdBackupException">Usage: something that was kept is not there any more, and nothing else was named.</exception>
    public static NewServerPlan Plan(ServerPoint point, NewServerAsk ask, IReadOnlyList<Flavor> flavors, bool imageIsThere)
    {
        var root = point.Root ?? throw new RbdBackupException(
            ErrorKind.Refused, $"server point {point.Id} has no disk that a server boots from", "Its other disks: 'rbdbackup restore POINT' each.");
        var fromImage = root.Role == DiskRole.Root && imageIsThere;
        var flavor = FlavorOf(point, ask, flavors);
        if (fromImage && flavor.Disk > 0 && root.Size > flavor.Disk * GiB)
        {
            throw new RbdBackupException(
                ErrorKind.Usage, $"the root disk has {root.Size} bytes, flavor {flavor.Name} gives {flavor.Disk} GiB", "Give a larger one with --flavor.");
        }

        var ephemerals = point.Disks.Where(d => d.Role == DiskRole.Ephemeral).Select((d, n) => new PlannedDisk(d, $"_disk.eph{n}")).ToList();
        if (ephemerals.Sum(d => d.Size) is var size && size > flavor.Ephemeral)
        {
            throw new RbdBackupException(
                ErrorKind.Usage, $"the ephemeral disks have {size} GiB together, flavor {flavor.Name} gives {flavor.Ephemeral} GiB", "Give a flavor that has them with --flavor.");
        }

        var volumes = point.Disks.Where(d => d.Role == DiskRole.Volume || (d == root && !fromImage)).Select(d => Volume(point, ask, d)).ToList();
        return new NewServerPlan(
            fromImage ? point.Description.ImageId : null, flavor.Id, NetworksOf(point, ask), volumes, fromImage ? [new PlannedDisk(root, "_disk"), .. ephemerals] : ephemerals);
    }

    /// <summary>The metadata that the new one gets: all but what the old one asked for and was told.</summary>
    /// <param name="kept">What the old one had; null for none.</param>
    /// <param name="prefix">What our own keys begin with, such as <c>backup_</c>.</param>
    public static Dictionary<string, string> MetadataOf(IReadOnlyDictionary<string, string>? kept, string prefix) =>
        new((kept ?? new Dictionary<string, string>()).Where(m => !OfTheOldOne.Any(key => m.Key == prefix + key)));

    private static Flavor FlavorOf(ServerPoint point, NewServerAsk ask, IReadOnlyList<Flavor> flavors)
    {
        var wanted = ask.Flavor ?? point.Description.Flavor?.Name;
        return flavors.FirstOrDefault(f => f.Id == wanted) ?? flavors.FirstOrDefault(f => f.Name == wanted) ?? throw new RbdBackupException(
            ErrorKind.Usage, wanted is null ? "the flavor of the server is not known" : $"there is no flavor '{wanted}'",
            $"Give one with --flavor: {string.Join(", ", flavors.Select(f => f.Name).Order(StringComparer.Ordinal).Take(20))}.");
    }

    /// <summary>The same networks, with addresses of their own: the old server may still have its own.</summary>
    private static List<ServerNetwork> NetworksOf(ServerPoint point, NewServerAsk ask)
    {
        var networks = ask.Networks.Count > 0 ? ask.Networks : [.. point.Description.Ports.Select(p => p.Network)];
        return networks.FirstOrDefault(n => !Guid.TryParse(n, out _)) is { } unknown
            ? throw new RbdBackupException(ErrorKind.Usage, $"'{unknown}' is not the id of a network", "Give the ids with --network.")
            : [.. networks.Select(n => new ServerNetwork(n))];
    }

    private static PlannedVolume Volume(ServerPoint point, NewServerAsk ask, ServerPointDisk disk)
    {
        var kept = point.Description.Volumes.FirstOrDefault(v => v.Id == disk.Volume);
        return new PlannedVolume(
            disk, kept, kept?.Name is { Length: > 0 } name ? name : $"{ask.Name}{disk.Device ?? "-root"}", Math.Max(GiBOf(disk.Size), kept?.Size ?? 0),
            kept?.ImageMetadata ?? (disk.Role == DiskRole.Root ? point.Description.ImageMetadata : null) ?? new Dictionary<string, string>());
    }

    /// <summary>Bytes in whole GiB, as Nova and Cinder count disks.</summary>
    public static int GiBOf(long bytes) => (int)Math.Max(1, (bytes + GiB - 1) / GiB);
}
