using RbdBackup.Configuration;
using RbdBackup.Core.Repository;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Volumes;

/// <summary>
/// Whose a point is: what Cinder or Nova say of its disk now; where the disk is gone, what they said when the point was made. What a message only claimed
/// proves nothing. A volume that was handed to another project takes its newer points along, not the older ones, which hold what the giver had deleted.
/// </summary>
internal sealed class PointOwner(OpenStackCloud cloud, DiskPools pools)
{
    /// <summary>The project; null where nothing proves it.</summary>
    public async Task<string?> OfAsync(Manifest point, CancellationToken cancel)
    {
        if (point.Imported is not null)
        {
            return null;
        }

        var (recorded, now) = (point.AskedBy.Proven ? point.AskedBy.Project : null, (await DiskSource.FindAsync(cloud, pools, point, cancel))?.Project);
        return recorded is null || now is null || recorded == now ? now ?? recorded : null;
    }
}
