using RbdBackup.Core.Model;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>A volume of a server as Nova and Cinder tell of it, and its image as Ceph has it.</summary>
/// <param name="Attachment">Nova's side.</param>
/// <param name="Volume">Cinder's side.</param>
/// <param name="Image">Its image; null where no pool that we know has one.</param>
internal sealed record VolumeSight(VolumeAttachment Attachment, Volume Volume, ImageSpec? Image);

/// <summary>What there is of a server's disks.</summary>
/// <param name="Server">The server.</param>
/// <param name="NovaImages">The images of its own that are there.</param>
/// <param name="Volumes">Its volumes.</param>
internal sealed record ServerSight(Server Server, IReadOnlyList<ImageSpec> NovaImages, IReadOnlyList<VolumeSight> Volumes);

/// <summary>Which of a server's disks belong to its point, the one that it boots from first. Pure.</summary>
internal static class ServerDiskPlanner
{
    /// <summary>What Nova makes anew by itself, and why it is not backed up.</summary>
    private static readonly (string Suffix, string Why)[] MadeAnew =
    [
        (".swap", "swap: its content is worth nothing once the server was off"), (".config", "the config drive: Nova makes it anew"), (".rescue", "a rescue disk: Nova makes it anew"),
    ];

    /// <summary>The suffixes of Nova's images of a server, but for ephemeral disks, which are numbered; old releases called the only one <c>.local</c>.</summary>
    public static IEnumerable<string> Suffixes => ["", ".local", .. MadeAnew.Select(m => m.Suffix)];

    /// <summary>The boot index that Nova does not show: 0 for the volume that is the root device.</summary>
    public static int? BootIndex(Server server, VolumeAttachment attachment) =>
        server.ImageId is null && attachment.Device is not null && attachment.Device == server.RootDevice ? 0 : null;

    /// <summary>Sorts the disks.</summary>
    /// <param name="sight">What there is.</param>
    /// <param name="policyKey">The key of a volume's metadata that says <c>none</c> where its project wants it left out.</param>
    /// <exception cref="RbdBackupException">NotFound: there is no disk that it boots from.</exception>
    public static (IReadOnlyList<ServerDisk> Disks, IReadOnlyList<SkippedDisk> Skipped) Plan(ServerSight sight, string policyKey)
    {
        var (disks, skipped) = (new List<ServerDisk>(), new List<SkippedDisk>());
        foreach (var image in sight.NovaImages)
        {
            var rest = image.Name[$"{sight.Server.Id}_disk".Length..];
            if (MadeAnew.FirstOrDefault(m => m.Suffix == rest).Why is { } why)
            {
                skipped.Add(new SkippedDisk(image.ToString(), why));
            }
            else
            {
                disks.Add(rest.Length == 0
                    ? new ServerDisk(image, DiskRole.Root, null, sight.Server.RootDevice, 0)
                    : new ServerDisk(image, DiskRole.Ephemeral));
            }
        }

        foreach (var volume in sight.Volumes.OrderBy(v => v.Attachment.Device?.Length).ThenBy(v => v.Attachment.Device, StringComparer.Ordinal))
        {
            if (WhySkipped(sight.Server, volume, policyKey) is { } why)
            {
                skipped.Add(new SkippedDisk(volume.Image?.ToString() ?? $"volume {volume.Volume.Id}", why));
            }
            else
            {
                disks.Add(new ServerDisk(volume.Image!, DiskRole.Volume, volume.Volume.Id, volume.Attachment.Device, BootIndex(sight.Server, volume.Attachment)));
            }
        }

        return disks.Any(d => d.BootIndex == 0) || skipped.Any(s => IsRoot(sight, s))
            ? ([.. disks.OrderBy(d => d.BootIndex ?? 1).ThenBy(d => d.Role)], skipped)
            : throw new RbdBackupException(
                ErrorKind.NotFound, $"server {sight.Server.Name} ({sight.Server.Id}) has no root disk that we find; it is {sight.Server.Status}",
                "A server that was shelved has its root disk in Glance only: unshelve it. Otherwise check vms_pool, volumes_pool, hosts and aggregates of the [ceph] sections.");
    }

    /// <summary>Leaving the root disk out is for who can say so, on the volume; the others are a point for themselves.</summary>
    private static bool IsRoot(ServerSight sight, SkippedDisk skipped) =>
        sight.Volumes.Any(v => BootIndex(sight.Server, v.Attachment) == 0 && skipped.Image == (v.Image?.ToString() ?? $"volume {v.Volume.Id}"));

    private static string? WhySkipped(Server server, VolumeSight volume, string policyKey) =>
        volume.Volume.Encrypted ? "encrypted: Cinder deletes its key with the volume, and without the key a point is worth nothing"
        : volume.Volume.Metadata.GetValueOrDefault(policyKey) == "none" ? $"its metadata says {policyKey}=none"
        : volume.Volume.ProjectId is { } owner && owner != server.ProjectId ? "another project's"
        : volume.Image is null ? "no image of it in a pool that we know"
        : null;
}
