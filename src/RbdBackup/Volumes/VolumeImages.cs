using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack.BlockStorage;

namespace RbdBackup.Volumes;

/// <summary>Finds a volume's image.</summary>
internal sealed class VolumeImages(IImageCluster cluster, DiskPools usual)
{
    /// <summary>The image: after a migration it is named by another id, and what Cinder calls the pool in its host may be the backend's name.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/>: in none of the pools that it could be in.</exception>
    public async Task<ImageInfo> FindAsync(Volume volume, CancellationToken cancel)
    {
        var name = UsualSpec(volume).Name;
        var pools = usual.OfVolumeAsShown(volume.Host);
        foreach (var found in pools)
        {
            if (await TryFindAsync(new ImageSpec(found, name), cancel) is { } info)
            {
                return info;
            }
        }

        throw new RbdBackupException(
            ErrorKind.NotFound, $"volume {volume.Id} (at {volume.Host ?? "no host"}) has no image {name} in pool {string.Join(" or ", pools)}",
            "Is its backend in this cluster, and [ceph] volumes_pool its pool? [tenants] volume_pools says it of other backends.");
    }

    /// <summary>The image in the configured pool, whether it is there or not.</summary>
    public ImageSpec UsualSpec(Volume volume) => new(usual.OfVolume(volume.Host ?? ""), $"volume-{volume.NameId ?? volume.Id}");

    private async Task<ImageInfo?> TryFindAsync(ImageSpec spec, CancellationToken cancel)
    {
        try
        {
            return await cluster.FindAsync(spec, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // There is no such pool.
            return null;
        }
    }
}
