using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Backup;

/// <summary>A point that is stored but for its manifest.</summary>
/// <param name="Manifest">The manifest.</param>
/// <param name="Job">The job's record.</param>
/// <param name="IsCommitted">True where the manifest is there already: an earlier run died behind its commit.</param>
internal sealed record PreparedPoint(Manifest Manifest, JobRecord Job, bool IsCommitted = false);

/// <summary>One try at a point: from the job record to the manifest.</summary>
internal sealed class BackupAttempt(
    IImageCluster cluster, PointRepository repository, ImageJobs jobs, ILease lease, BackupOptions options, IThrottle throttle, TimeProvider time)
{
    private readonly AttemptId _attempt = AttemptId.New();
    private readonly long _started = time.GetTimestamp();

    /// <summary>Runs the try and returns what was committed.</summary>
    public async Task<Manifest> RunAsync(ImageSpec spec, JobRecord job, IProgressReporter progress, CancellationToken cancel)
    {
        job = await SnapshotAsync(spec, job, null, cancel);
        var prepared = await PrepareAsync(spec, job, progress, cancel);
        return prepared.IsCommitted ? prepared.Manifest : await CommitAsync(prepared, cancel);
    }

    /// <summary>Stores all of the point but its manifest.</summary>
    /// <param name="spec">The image.</param>
    /// <param name="job">The job, as <see cref="SnapshotAsync"/> gave it.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends it; segments that are stored stay for the next attempt.</param>
    public async Task<PreparedPoint> PrepareAsync(ImageSpec spec, JobRecord job, IProgressReporter progress, CancellationToken cancel)
    {
        var (opened, info) = await cluster.OpenSnapshotAsync(spec, job.SnapshotId!.Value, cancel);
        await using var image = opened;
        var points = await new BaseFinder(await cluster.GetFsidAsync(info.Spec.Pool, cancel), repository, jobs).FindAsync(info, cancel);
        if (points.Committed.FirstOrDefault(m => m.Point == job.Point) is { } done)
        {
            return new PreparedPoint(done, job, IsCommitted: true);
        }

        var (plan, reference) = await PlanAsync(image, info, job, points, progress, cancel);
        Checkpoints.Pass("backup.planned");
        var segments = await ExportAsync(image, plan, reference, progress, cancel);
        Checkpoints.Pass("backup.exported");
        var metadata = await image.GetMetadataAsync(cancel);
        await CheckIdsAsync(spec, info, plan, cancel);
        var manifest = await PointTail.PutAsync(repository, plan, reference, _attempt, segments, info.Layout, job.AskedBy, cancel) with
        {
            OlderSnapshots = [.. info.Snapshots.Where(s => s.Id < plan.Head.Snapshot.Id).Select(s => s.Id)],
            Parent = info.Parent,
            ImageMetadata = metadata,
            Seconds = Math.Round(time.GetElapsedTime(_started).TotalSeconds, 3),
            Policy = job.Policy,
            Tool = options.Tool,
            ServerPoint = job.ServerPoint,
        };
        return new PreparedPoint(manifest, job);
    }

    /// <summary>Makes the snapshot, or finds the one that an earlier try made, perhaps after it had given up waiting for it.</summary>
    /// <param name="spec">The image.</param>
    /// <param name="job">The job.</param>
    /// <param name="opened">The image, opened to write; null: it is opened here.</param>
    /// <param name="cancel">Ends the wait; the snapshot may be made all the same.</param>
    public async Task<JobRecord> SnapshotAsync(ImageSpec spec, JobRecord job, IImage? opened, CancellationToken cancel)
    {
        job = job with { Attempt = _attempt };
        if (job.SnapshotId is null)
        {
            var present = job.Tries == 1 ? null : (await cluster.FindAsync(spec, cancel))?.Snapshots.FirstOrDefault(s => s.Name == job.SnapshotName);
            job = job with { SnapshotId = present?.Id ?? await CreateSnapshotAsync(spec, job.SnapshotName, opened, cancel) };
            await RemoveIfHeldAsync(spec, job.SnapshotId.Value, cancel);
        }

        Checkpoints.Pass("backup.snapshot");
        job = job with { State = JobState.Running };
        await jobs.SaveAsync(job, cancel);
        Checkpoints.Pass("backup.recorded");
        return job;
    }

    private async Task<ulong> CreateSnapshotAsync(ImageSpec spec, string name, IImage? opened, CancellationToken cancel)
    {
        if (opened is not null)
        {
            return await opened.CreateSnapshotAsync(name, cancel);
        }

        await using var image = await cluster.OpenAsync(spec, writable: true, cancel);
        return await image.CreateSnapshotAsync(name, cancel);
    }

    /// <summary>A release that came while the snapshot was made may have missed it: it goes at once.</summary>
    private async Task RemoveIfHeldAsync(ImageSpec spec, ulong snapshotId, CancellationToken cancel)
    {
        try
        {
            await jobs.RefuseIfHeldAsync(spec, time.GetUtcNow(), cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
        {
            await using var image = await cluster.OpenAsync(spec, writable: true, cancel);
            await image.RemoveSnapshotAsync(snapshotId, cancel);
            throw;
        }
    }

    private async Task<(PointPlan Plan, ObjectReference Reference)> PlanAsync(
        IImage image, ImageInfo info, JobRecord job, KnownPoints points, IProgressReporter progress, CancellationToken cancel)
    {
        if (await FindPlanAsync(job.Point, cancel) is { } earlier)
        {
            return earlier;
        }

        var decision = BackupPlanner.Decide(new BackupQuestion(
            info, job.SnapshotId!.Value, points.Candidates, points.Committed.Count > 0, job.Full, job.CycleDays, time.GetUtcNow()));
        var found = await CollectAsync(decision);
        if (found.CrossCheck is { DisagreedAt: { } at } check)
        {
            decision = BackupPlanner.Distrust(decision, at);
            found = await CollectAsync(decision) with { CrossCheck = check };
        }

        var head = new PlanHead
        {
            Format = RepositoryFormat.Version,
            Point = job.Point,
            Disk = new DiskIdentity(await cluster.GetFsidAsync(info.Spec.Pool, cancel), info.Spec.Pool, info.PoolId, info.Spec.Namespace, info.Spec.Name, info.ImageId),
            Snapshot = new PointSnapshot(job.SnapshotId.Value, job.SnapshotName, job.OwnSnapshot),
            Created = job.Created,
            Kind = decision.Kind,
            Reason = decision.Kind == PointKind.Increment && decision.Proof.FineReason is { } fine ? $"{decision.Reason}; fine diff: {fine}" : decision.Reason,
            Base = decision.Base is { } b ? new PointBase(b.Point, b.Disk, b.SnapshotId) : null,
            Size = info.Size,
            Cut = options.Cut,
            Codec = repository.Codec.Name,
            Tool = options.Tool,
            CrossCheck = found.CrossCheck,
        };
        var plan = new PointPlan(head, found.Extents);
        return (plan, await repository.PutAsync(Keys.Plan(job.Point, _attempt), plan.Write(repository.Codec), cancel));

        Task<FoundChanges> CollectAsync(BackupDecision what) => new DiffCollector(image, job.Point, options.PlanExtents, options.CrossCheckPercent).CollectAsync(
            info, what, () => ReadExtentsAsync(points.Committed.Single(m => m.Point == what.Base!.Point), cancel),
            done => progress.Report("find changes", done, info.Size, "By"), cancel);
    }

    private async Task<(PointPlan Plan, ObjectReference Reference)?> FindPlanAsync(PointId point, CancellationToken cancel)
    {
        await foreach (var stored in repository.Store.ListAsync($"{Keys.PointData(point)}plan.", cancel))
        {
            var bytes = await repository.Store.GetAsync(stored.Key, checked((int)stored.Length), cancel);
            var plan = await PointPlan.ReadAsync(repository.Store, stored, repository.Codec, cancel);
            var sha = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes));
            return (plan, new ObjectReference(stored.Key, stored.Length, sha));
        }

        return null;
    }

    private async Task<IReadOnlyList<Extent>> ReadExtentsAsync(Manifest manifest, CancellationToken cancel)
    {
        var stored = new StoredObject(manifest.Plan.Key, manifest.Plan.Length, default);
        return (await PointPlan.ReadAsync(repository.Store, stored, repository.Codec, cancel)).Extents;
    }

    private async Task<IReadOnlyList<StoredSegment>> ExportAsync(
        IImage image, PointPlan plan, ObjectReference reference, IProgressReporter progress, CancellationToken cancel)
    {
        var segments = new SegmentStore(repository, plan.Head.Point, _attempt, reference);
        var present = await segments.FindAsync(cancel);
        var encoder = new FrameEncoder(repository.Codec, plan.Head.Point, plan.Head.Cut);
        using var exporter = new PointExporter(image, encoder, segments, options, throttle);
        var (done, total) = (0L, plan.Extents.Where(e => e.Exists).Sum(e => e.Length));
        progress.Report("export", 0, total, "By");
        var from = plan.Head.Base is { } b ? StreamHead.SnapshotName(b.Point) : null;
        var head = new StreamHead(from, StreamHead.SnapshotName(plan.Head.Point), plan.Head.Size);
        return await exporter.ExportAsync(plan, head, present, n => progress.Report("export", Interlocked.Add(ref done, n), total, "By"), cancel);
    }

    /// <summary>A snapshot that was removed under an open handle reads as newer data, or zeros, without an error: so all ids are looked up afresh.</summary>
    private async Task CheckIdsAsync(ImageSpec spec, ImageInfo info, PointPlan plan, CancellationToken cancel)
    {
        var now = await cluster.FindAsync(spec, cancel);
        var ids = now?.Snapshots.Select(s => s.Id).ToHashSet() ?? [];
        var why = now is null ? "the image is gone"
            : now.ImageId != info.ImageId ? "the image was made anew"
            : !ids.Contains(plan.Head.Snapshot.Id) ? $"its snapshot {plan.Head.Snapshot.Name} (id {plan.Head.Snapshot.Id}) was removed"
            : plan.Head.Base is { } b && !ids.Contains(b.SnapshotId) ? $"the base snapshot (id {b.SnapshotId}) was removed"
            : null;
        why ??= await WhyBaseGoneAsync(plan.Head.Base, cancel);
        if (why is not null)
        {
            throw new RbdBackupException(ErrorKind.Dropped, $"the backup of {spec} was dropped: {why} while it was read", "Run the backup again.");
        }
    }

    private async Task<string?> WhyBaseGoneAsync(PointBase? below, CancellationToken cancel) =>
        below is { } stands && (await repository.ReadDiskAsync(stands.Disk, null, cancel)).All(m => m.Point != stands.Point)
            ? $"its base, point {stands.Point}, was removed from the repository"
            : null;

    /// <summary>
    /// A prune voids the base and then looks for new points on it; a backup commits and then looks at its base: whichever comes second sees the other.
    /// </summary>
    private async Task VoidIfBaseGoneAsync(Manifest manifest, CancellationToken cancel)
    {
        if (await WhyBaseGoneAsync(manifest.Base, cancel) is { } why)
        {
            await repository.AbortAsync(manifest.Disk.Key, manifest.Point, cancel);
            throw new RbdBackupException(ErrorKind.Dropped, $"the backup of {manifest.Disk.Spec} was dropped: {why} while it was committed", "Run the backup again.");
        }
    }

    /// <summary>Commits what was prepared.</summary>
    public async Task<Manifest> CommitAsync(PreparedPoint prepared, CancellationToken cancel)
    {
        var (manifest, job, _) = prepared;
        await RefuseIfVoidAsync(manifest, cancel);
        await repository.CommitAsync(manifest, cancel);
        Checkpoints.Pass("backup.manifest");
        await VoidIfBaseGoneAsync(manifest, cancel);
        await jobs.SaveAsync(job with { State = JobState.Committed }, cancel);
        Checkpoints.Pass("backup.committed");
        return manifest;
    }

    private async Task RefuseIfVoidAsync(Manifest manifest, CancellationToken cancel)
    {
        lease.Lost.ThrowIfCancellationRequested();
        if (await repository.Store.StatAsync(Keys.Aborted(manifest.Disk.Key, manifest.Point), cancel) is not null)
        {
            throw new RbdBackupException(ErrorKind.Dropped, $"point {manifest.Point} of {manifest.Disk.Spec} was given up by another worker", "Run the backup again.");
        }
    }
}
