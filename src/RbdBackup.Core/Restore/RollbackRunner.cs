using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Restore;

/// <summary>Rolls an image back to a point's snapshot, where that is still on it.</summary>
public sealed class RollbackRunner(IImageCluster cluster, IStateStore state)
{
    /// <summary>Rolls back; no backup runs meanwhile, and nobody has the image open.</summary>
    /// <exception cref="RbdBackupException">NotFound: the snapshot is gone; Busy: the image is in use.</exception>
    public async Task RunAsync(ImageSpec spec, Manifest point, CancellationToken cancel)
    {
        await using var image = await cluster.OpenAsync(spec, writable: true, cancel);
        var info = await image.GetInfoAsync(cancel);
        await using var lease = await state.AcquireAsync(StateKeys.Image(info), cancel);
        InPlaceJournal.RefuseUnfinished(await state.ReadAsync(lease.Name, cancel), spec);
        var binding = await new ImageJobs(state, lease).ReadBindingAsync(cancel);
        var snapshot = binding?.Point == point.Point ? binding.SnapshotId : point.Disk.ImageId == info.ImageId ? point.Snapshot.Id : (ulong?)null;
        if (snapshot is null || info.Snapshots.All(s => s.Id != snapshot))
        {
            throw new RbdBackupException(
                ErrorKind.NotFound, $"the snapshot of point {point.Point} is no longer on {spec}", $"Use 'rbdbackup restore {point.Point} --to {spec} --replace'.");
        }

        await ImageSwapper.RefuseIfWatchedAsync(image, cancel);
        await image.RollbackAsync(snapshot.Value, cancel);
    }
}
