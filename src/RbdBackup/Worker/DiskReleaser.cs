using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack;

namespace RbdBackup.Worker;

/// <summary>Takes what is ours off an image that its cloud is about to remove or to make anew, and keeps it off for a while.</summary>
internal sealed class DiskReleaser(IImageCluster cluster, IStateStore state, SnapshotNaming naming, TimeProvider time)
{
    /// <summary>
    /// Holds new snapshots back, removes those that are there, ends the jobs. Twice is as once.
    /// </summary>
    /// <returns>How many snapshots were removed; null where the image is not there, or nothing of it is ours.</returns>
    public async Task<int?> ReleaseAsync(ImageSpec spec, ReleaseReason reason, CancellationToken cancel)
    {
        if (await cluster.FindAsync(spec, cancel) is not { } seen)
        {
            return null;
        }

        var name = StateKeys.Image(seen.PoolId, seen.ImageId);
        var records = await state.ReadAsync(name, cancel);
        if (records.Count == 0 && !seen.Snapshots.Any(naming.IsOurs))
        {
            return null;
        }

        // First the hold, then the look at the snapshots: a backup does it the other way round.
        var hold = DiskHold.Begin(Word(reason), time.GetUtcNow(), DiskHold.Of(records));
        await state.WriteUnleasedAsync(name, StateKeys.Hold, hold.Write(), cancel);
        foreach (var job in ImageJobs.Jobs(await state.ReadAsync(name, cancel)))
        {
            await state.WriteUnleasedAsync(name, StateKeys.Cancel(job.Point), [], cancel);
        }

        // Those that Cinder removes by itself are left to it: whoever has the volume open at that moment makes it put the image into the trash instead.
        return await RemoveAsync(
            spec, seen, s => naming.IsOurs(s) && !(reason == ReleaseReason.Deleting && naming.IsRemovedByCinder(spec, s.Name)), cancel);
    }

    private async Task<int> RemoveAsync(ImageSpec spec, ImageInfo seen, Func<ImageSnapshot, bool> which, CancellationToken cancel)
    {
        try
        {
            // Opened for writing only where there is something to remove: Nova can't remove an image that is open.
            if (await cluster.FindAsync(spec, cancel) is not { } now || now.ImageId != seen.ImageId || now.Snapshots.Where(which).ToList() is not { Count: > 0 } own)
            {
                return 0;
            }

            await using var image = await cluster.OpenAsync(spec, writable: true, cancel);
            foreach (var snapshot in own)
            {
                await image.RemoveSnapshotAsync(snapshot.Id, cancel);
            }

            return own.Count;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // Removed meanwhile, with its snapshots.
            return 0;
        }
    }

    private static string Word(ReleaseReason reason) => reason == ReleaseReason.Deleting ? DiskHold.Deleting : reason.ToString().ToLowerInvariant();
}
