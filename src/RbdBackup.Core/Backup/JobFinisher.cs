using System.Buffers;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Servers;

namespace RbdBackup.Core.Backup;

/// <summary>Ends jobs: releases what a committed one no longer needs, clears away what a dead or a given-up one left. Needs the image's lease.</summary>
internal sealed class JobFinisher(IImageCluster cluster, PointRepository repository, ImageJobs jobs, BackupOptions options, TimeProvider time)
{
    /// <summary>
    /// Finishes what was committed, clears away what can't be finished, and returns the point that already answers the request, or else the job to go
    /// on with, if there is one.
    /// </summary>
    public async Task<(Manifest? Answered, JobRecord? Resume)> ClearAsync(ImageInfo info, BackupAsk ask, CancellationToken cancel)
    {
        var committed = (await repository.ReadDiskAsync(await DiskAsync(info.Spec, cancel), null, cancel)).ToDictionary(m => m.Point);
        var records = await jobs.ReadAsync(cancel);
        (Manifest? Answered, JobRecord? Resume) found = (null, null);
        foreach (var job in records)
        {
            if (!await IsServersAsync(job, committed.ContainsKey(job.Point), cancel))
            {
                await GiveUpAsync(info.Spec, job, JobState.Failed, "the backup of its server ended before all disks were stored", cancel);
                records = [.. records.Where(r => r != job)];
            }
            else if (committed.TryGetValue(job.Point, out var manifest) && await IsBaseGoneAsync(manifest, cancel))
            {
                // The run that committed it died before it had looked at its base again: it was nobody's point yet.
                await GiveUpAsync(info.Spec, job, JobState.Failed, "its base was removed from the repository while it was committed", cancel);
            }
            else if (manifest is not null)
            {
                await ReleaseAsync(info.Spec, job, manifest, cancel);
                found.Answered = ask.Resume == job.Point || job.RequestKeys.Intersect(ask.RequestKeys).Any() ? manifest : found.Answered;
            }
            else if (IsOver(job, info) || await IsVoidAsync(info.Spec, job, cancel))
            {
                await GiveUpAsync(info.Spec, job, JobState.Failed, job.LastError ?? "its snapshot is gone, or it is too old, or it was given up before", cancel);
            }
            else if (Answers(job, ask) && found.Resume is null)
            {
                found.Resume = job;
            }
            else if (job.OwnSnapshot && ask.Snapshot is null)
            {
                await GiveUpAsync(info.Spec, job, JobState.Failed, "a newer backup of the image took its place", cancel);
            }
        }

        await SweepAsync(info, committed.Keys.Concat(records.Select(j => j.Point)).ToHashSet(), cancel);
        return found.Answered is null && await IsStaleAsync(ask, records, cancel) ? (Newest(info, committed), null) : found;
    }

    /// <summary>
    /// False for a disk of a server point that never came to be: its run has ended, since its lease is ours, and nobody else can store the other disks of that moment.
    /// </summary>
    private async Task<bool> IsServersAsync(JobRecord job, bool committed, CancellationToken cancel) =>
        job.ServerPoint is not { } of || (committed && await new ServerPointStore(repository).HasAsync(of, cancel));

    private async Task<bool> IsBaseGoneAsync(Manifest manifest, CancellationToken cancel) =>
        manifest.Needs is { } below && await repository.Store.StatAsync(Keys.Aborted(below.Disk, below.Point), cancel) is not null;

    /// <summary>True where the ask was read from records that somebody else has dealt with since.</summary>
    private async Task<bool> IsStaleAsync(BackupAsk ask, IReadOnlyList<JobRecord> records, CancellationToken cancel) =>
        (ask.Resume is { } job && records.All(r => r.Point != job)) || (ask.RequestKeys.Count > 0 && !await jobs.AnyWaitsAsync(ask.RequestKeys, cancel));

    private static Manifest Newest(ImageInfo info, Dictionary<PointId, Manifest> committed) =>
        committed.Values.MaxBy(m => m.Point)
        ?? throw new RbdBackupException(ErrorKind.Dropped, $"what was asked for {info.Spec} was given up meanwhile", "'rbdbackup jobs' says why.");

    /// <summary>After the commit: our snapshots that are older than the new base go, then the record.</summary>
    public async Task ReleaseAsync(ImageSpec spec, JobRecord job, Manifest manifest, CancellationToken cancel)
    {
        // A point of somebody else's snapshot never moves the base: that snapshot may go at any time.
        if (manifest.Snapshot.Own)
        {
            await RemoveSnapshotsAsync(spec, s => s.Id < manifest.Snapshot.Id && options.SnapshotName.PointOf(s.Name) is not null, cancel);
        }

        Checkpoints.Pass("backup.released");
        await EndAsync(job with { State = JobState.Finished, LastError = null }, cancel);
    }

    /// <summary>After a failure: the record says why and when to try again; past the limits the job is given up.</summary>
    public async Task FailAsync(ImageSpec spec, JobRecord job, RbdBackupException error, CancellationToken cancel)
    {
        if (error.Kind is ErrorKind.Dropped || options.Retries.Next(job.Tries, job.Created, time.GetUtcNow()) is not { } next)
        {
            await GiveUpAsync(spec, job, JobState.Failed, error.Message, cancel);
            return;
        }

        var stored = (await jobs.ReadAsync(cancel)).FirstOrDefault(j => j.Point == job.Point) ?? job;
        await jobs.SaveAsync(stored with { LastError = error.Message, NextTry = next }, cancel);
    }

    /// <summary>Voids a job: first its point, then its snapshot, then its record. A snapshot that failed to be made may still appear; the next run sweeps it.</summary>
    public async Task GiveUpAsync(ImageSpec spec, JobRecord job, JobState state, string why, CancellationToken cancel)
    {
        await repository.AbortAsync(await DiskAsync(spec, cancel), job.Point, cancel);
        if (job.OwnSnapshot)
        {
            await RemoveSnapshotsAsync(spec, s => s.Name == job.SnapshotName, cancel);
        }

        await EndAsync(job with { State = state, LastError = why }, cancel);
    }

    private async Task<string> DiskAsync(ImageSpec spec, CancellationToken cancel) => Keys.Disk(await cluster.GetFsidAsync(spec.Pool, cancel), spec);

    private bool IsOver(JobRecord job, ImageInfo info) =>
        job.Tries >= options.MaxTries || time.GetUtcNow() - job.Created > options.Deadline
        || (job.SnapshotId is not null && info.Snapshots.All(s => s.Id != job.SnapshotId));

    /// <summary>True where somebody began to give it up, and died before the record said so.</summary>
    private async Task<bool> IsVoidAsync(ImageSpec spec, JobRecord job, CancellationToken cancel) =>
        await repository.Store.StatAsync(Keys.Aborted(await DiskAsync(spec, cancel), job.Point), cancel) is not null;

    private static bool Answers(JobRecord job, BackupAsk ask) =>
        job.Full == ask.Full && job.OwnSnapshot == (ask.Snapshot is null) && (ask.Snapshot is null || job.SnapshotName == ask.Snapshot);

    /// <summary>Removes snapshots with our names whose point neither was committed nor is being made.</summary>
    private async Task SweepAsync(ImageInfo info, HashSet<PointId> known, CancellationToken cancel)
    {
        var bound = await jobs.ReadBindingAsync(cancel);
        bool Orphan(ImageSnapshot s) =>
            options.SnapshotName.PointOf(s.Name) is { } point && !known.Contains(point) && bound?.SnapshotId != s.Id;
        if (info.Snapshots.Any(Orphan))
        {
            await RemoveSnapshotsAsync(info.Spec, Orphan, cancel);
        }
    }

    private async Task RemoveSnapshotsAsync(ImageSpec spec, Func<ImageSnapshot, bool> which, CancellationToken cancel)
    {
        var snapshots = (await cluster.FindAsync(spec, cancel))?.Snapshots.Where(s => s.Namespace == SnapshotNamespace.User).Where(which).ToList() ?? [];
        if (snapshots.Count == 0)
        {
            return;
        }

        await using var image = await cluster.OpenAsync(spec, writable: true, cancel);
        foreach (var snapshot in snapshots)
        {
            await image.RemoveSnapshotAsync(snapshot.Id, cancel);
        }
    }

    private async Task EndAsync(JobRecord job, CancellationToken cancel)
    {
        var ended = job with { Ended = time.GetUtcNow(), NextTry = null };
        await repository.Store.PutAsync(Keys.FinishedJob(job.Point, AttemptId.New()), new ReadOnlySequence<byte>(ended.Write()), cancel);
        await jobs.RemoveAsync(job, cancel);
    }
}
