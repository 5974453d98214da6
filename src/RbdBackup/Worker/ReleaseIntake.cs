using Microsoft.Extensions.Logging;
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
    IImageCluster cluster, DiskReleaser releaser, MeaningOptions meaning, WorkerMetrics metrics, TimeProvider time, ILogger log)
{
    /// <summary>Handles one notification.</summary>
    public async Task HandleAsync(NotificationDelivery delivery, CancellationToken stop)
    {
        var from = time.GetTimestamp();
        foreach (var release in NotificationMeaning.Of(NotificationParser.Parse(delivery.Body, delivery.ContentType), meaning).OfType<ReleaseDisk>())
        {
            // The root disk first, which needs no listing: Nova begins with it.
            var removed = await ReleaseAsync(release, release.Disk.Image, stop);
            foreach (var other in await OthersAsync(release.Disk, stop))
            {
                removed += await ReleaseAsync(release, other, stop);
            }

            if (removed > 0)
            {
                metrics.Released(time.GetElapsedTime(from), time.GetUtcNow() - release.Origin.Timestamp);
            }
        }
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
