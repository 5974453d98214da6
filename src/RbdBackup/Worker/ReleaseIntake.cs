using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Release;
using RbdBackup.Messaging;
using RbdBackup.OpenStack;

namespace RbdBackup.Worker;

/// <summary>
/// Removes our snapshots from the disks of what is about to be deleted or made anew, at once and behind nothing else: a release too many costs a full, one
/// too late a tenant's data. A backup that reads meanwhile finds its snapshot gone and is dropped, and none begins for a while.
/// </summary>
internal sealed partial class ReleaseIntake(
    IImageCluster cluster, DiskReleaser releaser, MeaningOptions meaning, DiskPools pools, Members members, WorkerMetrics metrics, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan OthersPatience = TimeSpan.FromSeconds(2);

    /// <summary>Handles one notification.</summary>
    public async Task HandleAsync(NotificationDelivery delivery, CancellationToken stop)
    {
        var from = time.GetTimestamp();
        foreach (var release in NotificationMeaning.Of(NotificationParser.Parse(delivery.Body, delivery.ContentType), meaning).OfType<ReleaseDisk>())
        {
            var (disk, candidates) = (release.Disk, release.Disk.Kind == DiskKind.Server ? pools.Servers : pools.Volumes);
            var removed = candidates is [_]
                ? await ReleaseAllAsync(release, disk, stop)
                : await EverywhereAsync(candidates.Select(p => disk with { Image = disk.Image with { Pool = p } }), (d, t) => ReleaseIfThereAsync(release, d, t), stop);
            removed = removed > 0 ? removed : await ReleaseRenamedAsync(release, stop);
            if (removed > 0)
            {
                metrics.Released(time.GetElapsedTime(from), time.GetUtcNow() - release.Origin.Timestamp);
            }
        }
    }

    /// <summary>
    /// Looks into all pools at once, and releases the disk wherever it is found: a migration may have left its name in another cluster. A cluster that is down must not hold
    /// back a disk of another: once one is released, the others have a moment left. Where it is found nowhere, and one of them could not be asked, that one's error is the
    /// answer, and the message comes again.
    /// </summary>
    private async Task<int> EverywhereAsync(IEnumerable<DiskRef> candidates, Func<DiskRef, CancellationToken, Task<int?>> release, CancellationToken stop)
    {
        using var moment = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, moment.Token);
        var (failed, released) = ((RbdBackupException?)null, (int?)null);
        try
        {
            await foreach (var done in Task.WhenEach(candidates.Select(c => release(c, either.Token)).ToList()).WithCancellation(either.Token))
            {
                try
                {
                    if (await done is { } removed)
                    {
                        released = removed + (released ?? 0);
                        moment.CancelAfter(OthersPatience);
                    }
                }
                catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
                {
                    // A cluster without such a pool.
                }
                catch (RbdBackupException e)
                {
                    failed = e;
                }
            }
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // What is left in a cluster that does not answer, a sweep finds.
        }

        return released ?? (failed is null ? 0 : throw failed);
    }

    private async Task<int?> ReleaseIfThereAsync(ReleaseDisk release, DiskRef disk, CancellationToken stop) =>
        await cluster.FindAsync(disk.Image, stop) is not null || (await OthersAsync(disk, stop)).Count > 0 ? await ReleaseAllAsync(release, disk, stop) : null;

    private async Task<int> ReleaseAllAsync(ReleaseDisk release, DiskRef disk, CancellationToken stop)
    {
        // The root disk first, which needs no listing: Nova begins with it.
        var removed = await ReleaseAsync(release, disk.Image, stop);
        foreach (var other in await OthersAsync(disk, stop))
        {
            removed += await ReleaseAsync(release, other, stop);
        }

        return removed;
    }

    /// <summary>A volume that was migrated has an image of another name, which messages do not tell: it is known where it is protected.</summary>
    private async Task<int> ReleaseRenamedAsync(ReleaseDisk release, CancellationToken stop)
    {
        var removed = 0;
        var known = release.Disk.Kind == DiskKind.Volume ? (await members.ReadAllAsync(stop)).Values.Where(m => m.Volume == release.Disk.Id) : [];
        foreach (var image in known.Select(m => m.Image).Where(i => i.Name != release.Disk.Image.Name))
        {
            removed += await ReleaseAsync(release, image, stop);
        }

        return removed;
    }

    /// <summary>A server's other disks: ephemeral ones, and what else Nova keeps beside the root disk under its name.</summary>
    private async Task<IReadOnlyList<ImageSpec>> OthersAsync(DiskRef disk, CancellationToken stop) => disk.Kind != DiskKind.Server
        ? []
        : [.. (await cluster.ListImagesAsync(disk.Image.Pool, disk.Image.Namespace, stop))
            .Where(name => name.StartsWith($"{disk.Image.Name}.", StringComparison.Ordinal)).Select(name => disk.Image with { Name = name })];

    private async Task<int> ReleaseAsync(ReleaseDisk release, ImageSpec image, CancellationToken stop)
    {
        if (await releaser.ReleaseAsync(image, Word(release.Reason), stop) is { } removed)
        {
            LogReleased(image, removed, release.Reason);
            return removed;
        }

        LogNothing(image);
        return 0;
    }

    private static string Word(ReleaseReason reason) => reason == ReleaseReason.Deleting ? DiskHold.Deleting : reason.ToString().ToLowerInvariant();

    [LoggerMessage(4030, LogLevel.Information, "{Image}: {Count} snapshots of ours removed ({Reason})")]
    private partial void LogReleased(ImageSpec image, int count, ReleaseReason reason);

    [LoggerMessage(4031, LogLevel.Debug, "{Image} has nothing of ours to release")]
    private partial void LogNothing(ImageSpec image);
}
