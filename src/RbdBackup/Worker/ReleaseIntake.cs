using Microsoft.Extensions.Logging;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Messaging;
using RbdBackup.OpenStack;

namespace RbdBackup.Worker;

/// <summary>
/// Removes our snapshots from a disk that is about to be deleted or made anew, at once and behind nothing else: a release too many costs a full, one
/// too late a tenant's data. A backup that reads meanwhile finds its snapshot gone and is dropped.
/// </summary>
internal sealed partial class ReleaseIntake(
    IImageCluster cluster, IStateStore state, MeaningOptions meaning, SnapshotNaming naming, WorkerMetrics metrics, TimeProvider time, ILogger log)
{
    /// <summary>Handles one notification.</summary>
    public async Task HandleAsync(NotificationDelivery delivery, CancellationToken stop)
    {
        var from = time.GetTimestamp();
        foreach (var release in NotificationMeaning.Of(NotificationParser.Parse(delivery.Body, delivery.ContentType), meaning).OfType<ReleaseDisk>())
        {
            await ReleaseAsync(release, stop);
            metrics.Released(time.GetElapsedTime(from));
        }
    }

    private async Task ReleaseAsync(ReleaseDisk release, CancellationToken stop)
    {
        try
        {
            await using var image = await cluster.OpenAsync(release.Disk.Image, writable: true, stop);
            var info = await image.GetInfoAsync(stop);
            var own = info.Snapshots.Where(s => s.Namespace == SnapshotNamespace.User && naming.PointOf(s.Name) is not null).ToList();
            foreach (var snapshot in own)
            {
                await image.RemoveSnapshotAsync(snapshot.Id, stop);
            }

            foreach (var job in ImageJobs.Jobs(await state.ReadAsync(StateKeys.Image(info.PoolId, info.ImageId), stop)))
            {
                await state.WriteUnleasedAsync(StateKeys.Image(info.PoolId, info.ImageId), StateKeys.Cancel(job.Point), [], stop);
            }

            LogReleased(release.Disk.Image, own.Count, release.Reason);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            LogNothing(release.Disk.Image);
        }
    }

    [LoggerMessage(4030, LogLevel.Information, "{Image}: {Count} snapshots of ours removed ({Reason})")]
    private partial void LogReleased(ImageSpec image, int count, ReleaseReason reason);

    [LoggerMessage(4031, LogLevel.Debug, "{Image} is not there; nothing to release")]
    private partial void LogNothing(ImageSpec image);
}
