using Microsoft.Extensions.Logging;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;

namespace RbdBackup.Core.Backup;

/// <summary>
/// Makes a restore point of one image: lease, job record, snapshot, plan, export, check by ids, commit, release of the old base. Killed anywhere, the
/// next run on the same image goes on or clears away.
/// </summary>
public sealed partial class BackupRunner(
    IImageCluster cluster, IStateStore state, PointRepository repository, BackupOptions options, IThrottle throttle, TimeProvider time, ILogger<BackupRunner> log,
    IDiskActivity? cloud = null)
{
    private static readonly TimeSpan CancelPoll = TimeSpan.FromSeconds(5);

    /// <summary>Makes the point that is asked for, or goes on with one that an earlier run began.</summary>
    /// <exception cref="RbdBackupException">As the steps give; Busy where another job has the image.</exception>
    public async Task<Manifest> RunAsync(BackupAsk ask, IProgressReporter progress, CancellationToken cancel)
    {
        var info = await LookAsync(ask.Image, cancel);
        await using var lease = await state.AcquireAsync(StateKeys.Image(info), cancel);
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancel, lease.Lost);
        try
        {
            return await RunLeasedAsync(ask, lease, progress, held.Token);
        }
        catch (OperationCanceledException) when (lease.Lost.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new RbdBackupException(
                ErrorKind.Busy, $"the lease on {ask.Image} was lost while its backup ran", "Run the backup again: it goes on where it stopped.");
        }
    }

    /// <summary>
    /// Takes an image for a backup that belongs to others', step by step: its lease, with all that dead runs left cleared away. A job that waits there for its next
    /// try stays, and is answered by what is newer.
    /// </summary>
    /// <exception cref="RbdBackupException">Busy where another job has the image.</exception>
    public async Task<DiskBackup> OpenAsync(BackupAsk ask, CancellationToken cancel)
    {
        var seen = await LookAsync(ask.Image, cancel);
        var lease = await state.AcquireAsync(StateKeys.Image(seen), cancel);
        try
        {
            var jobs = new ImageJobs(state, lease);
            var finisher = new JobFinisher(cluster, repository, jobs, options, time);
            var info = await LookLeasedAsync(ask.Image, lease, cancel);
            await finisher.ClearAsync(info, ask, cancel);
            await RefuseIfHeldOrBusyAsync(ask, jobs, cancel);
            var attempt = new BackupAttempt(cluster, repository, jobs, lease, options, throttle, time);
            var image = await cluster.OpenAsync(ask.Image, writable: true, cancel);
            return new DiskBackup(new DiskBackup.Parts(lease, jobs, finisher, attempt, image, info, of => BeginAsync(ask, info, jobs, of, cancel)));
        }
        catch
        {
            await lease.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends jobs that nobody runs, as failed: all of a state object whose image is gone, with its requests, or one that was cancelled.</summary>
    /// <param name="name">The state object.</param>
    /// <param name="image">The image that it was about.</param>
    /// <param name="why">What the finished job says.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <param name="only">The one job to end; null: all, and the requests.</param>
    public async Task ForgetAsync(string name, ImageSpec image, string why, CancellationToken cancel, PointId? only = null)
    {
        await using var lease = await state.AcquireAsync(name, cancel);
        var jobs = new ImageJobs(state, lease);
        var finisher = new JobFinisher(cluster, repository, jobs, options, time);
        foreach (var job in (await jobs.ReadAsync(cancel)).Where(j => only is null || j.Point == only))
        {
            await finisher.GiveUpAsync(image, job, only is null ? JobState.Failed : JobState.Cancelled, why, cancel);
        }

        if (only is null)
        {
            await jobs.RemoveRequestsAsync(cancel);
        }
    }

    private async Task<Manifest> RunLeasedAsync(BackupAsk ask, ILease lease, IProgressReporter progress, CancellationToken cancel)
    {
        var jobs = new ImageJobs(state, lease);

        var info = await LookLeasedAsync(ask.Image, lease, cancel);
        var finisher = new JobFinisher(cluster, repository, jobs, options, time);
        var (answered, unfinished) = await finisher.ClearAsync(info, ask, cancel);
        if (answered is not null)
        {
            return answered;
        }

        if (ask.Snapshot is null && unfinished?.SnapshotId is null)
        {
            await RefuseIfHeldOrBusyAsync(ask, jobs, cancel);
        }

        var job = unfinished is null ? await BeginAsync(ask, info, jobs, null, cancel) : await ResumeAsync(ask, unfinished, jobs, cancel);
        return await TryAsync(ask.Image, job, jobs, finisher, lease, progress, cancel);
    }

    private async Task<JobRecord> ResumeAsync(BackupAsk ask, JobRecord unfinished, ImageJobs jobs, CancellationToken cancel)
    {
        var job = unfinished with
        {
            Tries = unfinished.Tries + 1,
            Holder = options.Holder,
            RequestKeys = [.. ask.RequestKeys.Union(unfinished.RequestKeys)],
        };
        LogResume(job.Point, ask.Image, job.Tries);
        await jobs.SaveAsync(job, cancel);
        return job;
    }

    private async Task<Manifest> TryAsync(
        ImageSpec image, JobRecord job, ImageJobs jobs, JobFinisher finisher, ILease lease, IProgressReporter progress, CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var watch = WatchForCancelAsync(job.Point, jobs, stop);
        try
        {
            var attempt = new BackupAttempt(cluster, repository, jobs, lease, options, throttle, time);
            var manifest = await attempt.RunAsync(image, job, progress, stop.Token);
            await finisher.ReleaseAsync(image, job with { State = JobState.Committed, SnapshotId = manifest.Snapshot.Id }, manifest, cancel);
            if (manifest.CrossCheck is { DisagreedAt: { } at })
            {
                LogMapsWrong(image, at, manifest.Point);
            }

            LogCommitted(manifest.Point, image, manifest.Kind, manifest.StoredBytes, manifest.Reason);
            return manifest;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            await finisher.GiveUpAsync(image, job, JobState.Cancelled, "cancelled by 'jobs cancel'", cancel);
            throw new RbdBackupException(ErrorKind.Refused, $"the backup of {image} was cancelled", "Nothing is left of it.");
        }
        catch (RbdBackupException e) when (!lease.Lost.IsCancellationRequested)
        {
            LogFailed(e, job.Point, image, job.Tries);
            await FailAsync(image, job, finisher, e, cancel);
            throw;
        }
        finally
        {
            await stop.CancelAsync();
            await watch;
        }
    }

    private async Task FailAsync(ImageSpec image, JobRecord job, JobFinisher finisher, RbdBackupException error, CancellationToken cancel)
    {
        try
        {
            await finisher.FailAsync(image, job, error, cancel);
        }
        catch (RbdBackupException second)
        {
            // The first error is what the person needs; the record stays as it is, and the next run finds it.
            LogUnrecorded(second, job.Point, image);
        }
    }

    /// <summary>The record comes before the snapshot: whoever finds one of the two knows of the other.</summary>
    private async Task<JobRecord> BeginAsync(BackupAsk ask, ImageInfo info, ImageJobs jobs, ServerPointReference? serverPoint, CancellationToken cancel)
    {
        var point = PointId.New(time.GetUtcNow());
        var snapshot = ask.Snapshot is null ? null : info.Snapshots.FirstOrDefault(s => s.Name == ask.Snapshot && s.Namespace == SnapshotNamespace.User)
            ?? throw new RbdBackupException(ErrorKind.NotFound, $"{ask.Image} has no snapshot '{ask.Snapshot}'", $"'rbd snap ls {ask.Image}' shows its snapshots.");
        var job = new JobRecord
        {
            Point = point,
            Image = ask.Image.ToString(),
            State = JobState.Intent,
            Attempt = AttemptId.New(),
            SnapshotName = snapshot?.Name ?? options.SnapshotName.Name(ask.Image, point),
            OwnSnapshot = snapshot is null,
            SnapshotId = snapshot?.Id,
            Full = ask.Full,
            Policy = ask.Policy,
            CycleDays = ask.CycleDays,
            ServerPoint = serverPoint,
            AskedBy = ask.AskedBy,
            RequestKeys = ask.RequestKeys,
            Created = time.GetUtcNow(),
            Tries = 1,
            Holder = options.Holder,
        };
        await jobs.SaveAsync(job, cancel);
        Checkpoints.Pass("backup.intent");
        return job;
    }

    private async Task RefuseIfHeldOrBusyAsync(BackupAsk ask, ImageJobs jobs, CancellationToken cancel)
    {
        var spec = ask.Image;
        await jobs.RefuseIfHeldAsync(spec, time.GetUtcNow(), cancel);
        if (cloud is not null && await cloud.BusyWithAsync(spec, ask.AskedBy.Volume, cancel) is { } work)
        {
            throw new RbdBackupException(ErrorKind.Busy, $"its cloud works on {spec} ({work})", "No snapshot is made meanwhile; what waits in the queue is done afterwards.");
        }
    }

    /// <summary>Looked at again under the lease: what was there before it may be another's work.</summary>
    private async Task<ImageInfo> LookLeasedAsync(ImageSpec spec, ILease lease, CancellationToken cancel)
    {
        var info = await LookAsync(spec, cancel);
        if (StateKeys.Image(info) != lease.Name)
        {
            throw new RbdBackupException(ErrorKind.Busy, $"{spec} was replaced while its lease was taken", "Run the backup again.");
        }

        InPlaceJournal.RefuseUnfinished(await state.ReadAsync(lease.Name, cancel), spec);
        return info;
    }

    private async Task<ImageInfo> LookAsync(ImageSpec spec, CancellationToken cancel)
    {
        return await cluster.FindAsync(spec, cancel) switch
        {
            null => throw new RbdBackupException(ErrorKind.NotFound, $"there is no image {spec}", $"'rbd ls {spec.Pool}' shows the images of its pool."),
            { Migrating: true } => throw new RbdBackupException(
                ErrorKind.Unsupported, $"{spec} is under 'rbd migration'", "Commit or abort the migration, then back it up."),
            { MirrorNonPrimary: true } => throw new RbdBackupException(
                ErrorKind.Unsupported, $"{spec} is a mirror that is not primary", "Back up the primary image in its own cluster, or promote this one."),
            var info => info,
        };
    }

    private async Task WatchForCancelAsync(PointId point, ImageJobs jobs, CancellationTokenSource stop)
    {
        try
        {
            using var timer = new PeriodicTimer(CancelPoll, time);
            while (await timer.WaitForNextTickAsync(stop.Token))
            {
                if (await jobs.IsCancelledAsync(point, stop.Token))
                {
                    await stop.CancelAsync();
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or RbdBackupException)
        {
            // A flag that can't be read now does not end the backup; the lease watches the cluster.
        }
    }

    [LoggerMessage(1001, LogLevel.Information, "going on with point {Point} of {Image}, try {Try}")]
    private partial void LogResume(PointId point, ImageSpec image, int @try);

    [LoggerMessage(1002, LogLevel.Information, "point {Point} of {Image} is committed: {Kind}, {StoredBytes} bytes stored; {Reason}")]
    private partial void LogCommitted(PointId point, ImageSpec image, PointKind kind, long storedBytes, string reason);

    [LoggerMessage(1003, LogLevel.Warning, "point {Point} of {Image} failed in try {Try}")]
    private partial void LogFailed(Exception error, PointId point, ImageSpec image, int @try);

    [LoggerMessage(1004, LogLevel.Warning, "the failure of point {Point} of {Image} could not be recorded")]
    private partial void LogUnrecorded(Exception error, PointId point, ImageSpec image);

    [LoggerMessage(1005, LogLevel.Error, "the object maps of {Image} are wrong: they did not show a change at byte {At}; point {Point} is a full, earlier increments may lack changes: 'rbdbackup verify --source', then 'rbd object-map rebuild'")]
    private partial void LogMapsWrong(ImageSpec image, long at, PointId point);
}
