using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Release;

/// <summary>Takes what is ours off an image that its cloud is about to remove or to make anew, and keeps it off for a while.</summary>
public sealed class DiskReleaser(IImageCluster cluster, IStateStore state, SnapshotNaming naming, TimeProvider time)
{
    /// <summary>Holds new snapshots back, ends the jobs, removes our snapshots. Twice is as once.</summary>
    /// <param name="spec">The image.</param>
    /// <param name="reason">Why: <see cref="DiskHold.Deleting"/>, or another word.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>How many snapshots were removed; null where the image is not there, or nothing of it is ours.</returns>
    public async Task<int?> ReleaseAsync(ImageSpec spec, string reason, CancellationToken cancel)
    {
        if (await cluster.FindAsync(spec, cancel) is not { } seen)
        {
            return null;
        }

        var name = StateKeys.Image(seen);
        var records = await state.ReadAsync(name, cancel);
        if (records.Count == 0 && !seen.Snapshots.Any(naming.IsOurs) && await state.GetHolderAsync(name, cancel) is null)
        {
            return null;
        }

        // First the hold, then the look at the snapshots: a backup does it the other way round.
        var hold = DiskHold.Begin(reason, time.GetUtcNow(), DiskHold.Of(records));
        await state.WriteUnleasedAsync(name, StateKeys.Hold, hold.Write(), cancel);
        foreach (var job in ImageJobs.Jobs(await state.ReadAsync(name, cancel)))
        {
            await state.WriteUnleasedAsync(name, StateKeys.Cancel(job.Point), [], cancel);
        }

        // Those that Cinder removes by itself are left to it: whoever has the volume open at that moment makes it put the image into the trash instead.
        bool Ours(ImageSnapshot s) => naming.IsOurs(s) && !(reason == DiskHold.Deleting && naming.IsRemovedByCinder(spec, s.Name));
        return await RemoveAsync(spec, seen.ImageId, Ours, cancel);
    }

    /// <summary>Removes snapshots of an image, which is opened for that only where it has any: Nova can't remove an image that is open.</summary>
    private async Task<int> RemoveAsync(ImageSpec spec, string imageId, Func<ImageSnapshot, bool> which, CancellationToken cancel)
    {
        try
        {
            if (await cluster.FindAsync(spec, cancel) is not { } now || now.ImageId != imageId || !now.Snapshots.Any(which))
            {
                return 0;
            }

            await using var image = await cluster.OpenAsync(spec, writable: true, cancel);
            return await RemoveAsync(image, which, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // Removed meanwhile, with its snapshots.
            return 0;
        }
    }

    /// <summary>Removes snapshots of an open image.</summary>
    /// <returns>How many.</returns>
    internal static async Task<int> RemoveAsync(IImage image, Func<ImageSnapshot, bool> which, CancellationToken cancel)
    {
        var removed = 0;
        foreach (var snapshot in (await image.GetInfoAsync(cancel)).Snapshots.Where(which))
        {
            await image.RemoveSnapshotAsync(snapshot.Id, cancel);
            removed++;
        }

        return removed;
    }
}
