using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Volumes;

/// <summary>What Cinder or Nova say now of the disk that a point was made of.</summary>
/// <param name="Project">Whose it is.</param>
/// <param name="Bootable">True where a server may boot from it.</param>
/// <param name="ImageMetadata">What Nova reads of its image.</param>
internal sealed record DiskSource(string Project, bool Bootable, IReadOnlyDictionary<string, string> ImageMetadata)
{
    /// <summary>Asks; null where there is no such server or volume any more, or neither the point nor its image's name says which it was.</summary>
    public static async Task<DiskSource?> FindAsync(OpenStackCloud cloud, DiskPools pools, Manifest point, CancellationToken cancel)
    {
        var disk = point.Disk;
        try
        {
            if ((point.AskedBy.Volume ?? DiskNames.VolumeOf(pools, disk.Spec)) is { } volume)
            {
                return Of(await cloud.BlockStorage.GetVolumeAsync(volume, cancel));
            }

            if (DiskNames.ServerOf(pools, disk.Spec) is { } server)
            {
                return new DiskSource((await cloud.Compute.GetServerAsync(server, cancel)).ProjectId, DiskNames.IsRoot(disk.Name), new Dictionary<string, string>());
            }
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // It is gone.
        }

        return null;
    }

    private static DiskSource? Of(Volume volume) =>
        volume.ProjectId is { } project ? new DiskSource(project, volume.Bootable, volume.VolumeImageMetadata ?? new Dictionary<string, string>()) : null;
}
