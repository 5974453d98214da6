using System.Buffers;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;

namespace RbdBackup.Core.Import;

/// <summary>How diffs are imported.</summary>
/// <param name="Cut">How the stream is cut.</param>
/// <param name="Uploads">The segments that are made and stored at a time.</param>
/// <param name="MaxExtents">The extents that a diff may have.</param>
/// <param name="Deadline">How long one may take; less than gc's grace.</param>
/// <param name="Tool">The program and its version.</param>
public sealed record ImportOptions(CutParameters Cut, int Uploads, int MaxExtents, TimeSpan Deadline, string Tool);

/// <summary>A diff that is to become a point.</summary>
/// <param name="Path">The file.</param>
/// <param name="As">The image that it becomes a point of; in no cluster that is known.</param>
/// <param name="Created">When its snapshot was taken.</param>
/// <param name="Layout">What a restore makes the image with; an increment takes its base's.</param>
/// <param name="AskedBy">Who asked.</param>
public sealed record ImportAsk(string Path, ImageSpec As, DateTimeOffset Created, ImageLayout Layout, AskedBy AskedBy);

/// <summary>
/// Makes points of files that <c>rbd export-diff</c> wrote: plan, segments, index, references, manifest, as a backup does. A file is read once before anything
/// is stored, so that one that is cut off leaves nothing. Killed anywhere, the same import again goes on with the file that was not committed.
/// </summary>
public sealed class ImportRunner(PointRepository repository, ImportOptions options)
{
    /// <summary>What stands for the cluster's id in keys and manifests of imported points.</summary>
    public const string Cluster = "imported";

    /// <summary>Imports a diff, or finds the point that it is already.</summary>
    /// <exception cref="RbdBackupException">As of <see cref="DiffFile"/> and <see cref="ImportPlanner"/>.</exception>
    public async Task<Manifest> RunAsync(ImportAsk ask, IProgressReporter progress, CancellationToken cancel)
    {
        using var file = await DiffFile.OpenAsync(ask.Path, options.MaxExtents, (done, total) => progress.Report("read", done, total, "By"), cancel);
        var diff = new ImportedDiff(file.FromSnap, file.ToSnap, file.Hash);
        var disk = new DiskIdentity(Cluster, ask.As.Pool, -1, ask.As.Namespace, ask.As.Name, "");
        var known = await repository.ReadDiskAsync(disk.Key, null, cancel);
        var decision = ImportPlanner.Decide(diff, [.. known.OrderBy(p => p.Snapshot.Id)], await FindNamedAsync(diff.FromSnap, cancel));
        return decision.Present ?? await StoreAsync(ask, file, diff, disk, decision.Base, progress, cancel);
    }

    private async Task<Manifest?> FindNamedAsync(string? snapshot, CancellationToken cancel)
    {
        if (snapshot is null || !snapshot.StartsWith(StreamHead.SnapshotName(default)[..^36], StringComparison.Ordinal) || !PointId.TryParse(snapshot[^36..], out var point))
        {
            return null;
        }

        return await repository.ReadAllAsync(Keys.PointsPrefix, null, cancel, k => k.Point == point.Value).FirstOrDefaultAsync(cancel);
    }

    private async Task<Manifest> StoreAsync(
        ImportAsk ask, DiffFile file, ImportedDiff diff, DiskIdentity disk, Manifest? below, IProgressReporter progress, CancellationToken cancel)
    {
        var started = repository.Now;
        var (point, attempt) = (PointId.New(started), AttemptId.New());
        var head = new PlanHead
        {
            Format = RepositoryFormat.Version,
            Point = point,
            Disk = disk,
            Snapshot = new PointSnapshot((below?.Snapshot.Id ?? 0) + 1, diff.ToSnap ?? StreamHead.SnapshotName(point), false),
            Created = below is not null && ask.Created <= below.Created ? below.Created.AddMilliseconds(1) : ask.Created,
            Kind = below is null ? PointKind.Full : PointKind.Increment,
            Reason = $"imported; it starts from {diff.FromSnap ?? "nothing"}",
            Base = below is null ? null : new PointBase(below.Point, below.Disk.Key, below.Snapshot.Id),
            Size = file.Size,
            Cut = options.Cut,
            Codec = repository.Codec.Name,
            Tool = options.Tool,
        };
        var plan = new PointPlan(head, file.Extents);
        var stored = await repository.PutAsync(Keys.Plan(point, attempt), plan.Write(repository.Codec), cancel);
        Checkpoints.Pass("import.planned");
        var segments = await StoreSegmentsAsync(file, head, attempt, stored, progress, cancel);
        var made = await PointTail.PutAsync(repository, plan, stored, attempt, segments, below?.Layout ?? ask.Layout, ask.AskedBy, cancel) with
        {
            ImageMetadata = below?.ImageMetadata ?? new Dictionary<string, string>(),
            Imported = diff,
            Seconds = Math.Round((repository.Now - started).TotalSeconds, 3),
        };
        await CommitAsync(made, cancel);
        return made;
    }

    private async Task<IReadOnlyList<StoredSegment>> StoreSegmentsAsync(
        DiffFile file, PlanHead head, AttemptId attempt, ObjectReference plan, IProgressReporter progress, CancellationToken cancel)
    {
        var encoder = new FrameEncoder(repository.Codec, head.Point, head.Cut);
        var store = new SegmentStore(repository, head.Point, attempt, plan);
        var stream = new StreamHead(head.Base is { } b ? StreamHead.SnapshotName(b.Point) : null, StreamHead.SnapshotName(head.Point), head.Size);
        var stored = new StoredSegment[Cutter.Count(file.Extents, head.Cut)];
        var (done, total) = (0L, file.Extents.Where(e => e.Exists).Sum(e => e.Length));
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Uploads, CancellationToken = cancel };
        await Parallel.ForEachAsync(Cutter.Cut(file.Extents, head.Cut), parallel, async (cut, ct) =>
        {
            var data = ArrayPool<byte>.Shared.Rent((int)cut.DataBytes);
            var frames = new List<StoredFrame>(cut.Frames.Count);
            try
            {
                var at = 0;
                foreach (var frame in cut.Frames)
                {
                    var bytes = data.AsMemory(at, frame.DataBytes);
                    file.Read(frame.Extents, bytes.Span);
                    var (first, last) = (cut.Number == 0 && frame.Number == 0, cut.Last && frame.Number == cut.Frames.Count - 1);
                    frames.Add(encoder.Encode(cut.Number, frame, bytes, first ? stream : null, last));
                    at += bytes.Length;
                }

                stored[cut.Number] = await store.PutAsync(cut, frames, ct);
                Checkpoints.Pass("import.segment");
                progress.Report("import", Interlocked.Add(ref done, cut.DataBytes), total, "By");
            }
            finally
            {
                frames.ForEach(f => f.Dispose());
                ArrayPool<byte>.Shared.Return(data);
            }
        });
        return stored;
    }

    /// <summary>As a backup does: commits, and then looks whether its base was pruned meanwhile.</summary>
    private async Task CommitAsync(Manifest made, CancellationToken cancel)
    {
        if (repository.Now - made.Point.Time > options.Deadline)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"the import as {made.Disk.Spec} took longer than {options.Deadline}", "Raise [jobs] deadline and [rotation] grace, and import it again.");
        }

        await repository.CommitAsync(made, cancel);
        Checkpoints.Pass("import.committed");
        if (made.Base is { } below && await repository.FindNewestAsync(below.Disk, below.Point, cancel) is null
            && await repository.FindNewestAsync(made, cancel) is not { Independent: true })
        {
            await repository.AbortAsync(made.Disk.Key, made.Point, cancel);
            throw new RbdBackupException(ErrorKind.Dropped, $"point {below.Point}, which the diff starts from, was removed while it was imported", "Import the full again.");
        }
    }
}
