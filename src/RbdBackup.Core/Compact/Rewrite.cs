using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;

namespace RbdBackup.Core.Compact;

/// <summary>
/// Carries a plan out: leaf by leaf, what is shown of the plan's segments moves, and each point's index is written by the way. What a point is the first to
/// show goes into the lane of that point, so that frames ascend with the image in each lane, and nothing is stored twice.
/// </summary>
internal sealed class Rewrite : IDisposable
{
    private const int CachedFrames = 8;

    // Segments that wait to be stored, of all lanes together, are this many at most.
    private const int WaitingSegments = 8;

    // The pages of all indexes that wait to be stored.
    private const int WaitingPages = 128 << 20;

    private readonly PointRepository _repository;
    private readonly IReadOnlyList<UsingPoint> _points;
    private readonly CompactOptions _options;
    private readonly DateTimeOffset _started;
    private readonly MergedLayout _layout;
    private readonly FrameCache _frames;
    private readonly HashSet<(PointId, AttemptId, int)> _segments;
    private readonly HashSet<string> _indexes;
    private readonly List<FrameLane> _lanes;
    private readonly List<Revision> _revisions = [];

    public Rewrite(
        PointRepository repository, IReadOnlyList<UsingPoint> points, CompactPlan plan, CompactOptions options, MergedLayout layout, DateTimeOffset started)
    {
        (_repository, _points, _options, _started) = (repository, points, options, started);
        _layout = layout with { ObjectBytes = Math.Min(layout.ObjectBytes, Math.Max(1 << 20, WaitingPages / points.Count)) };
        _frames = new FrameCache(new FrameSource(repository), CachedFrames);
        _segments = [.. plan.Segments.Select(s => (s.Point, s.Attempt, s.Number))];
        _indexes = [.. plan.Indexes.Select(i => i.Key)];

        // An id of its own, as a point has: gc leaves alone what lies under it for as long as a job may take.
        var compaction = PointId.New(repository.Now);
        _lanes = [.. points.Select(_ => new FrameLane(repository, compaction, options.Cut))];
    }

    /// <summary>The bytes of segments and indexes that were stored.</summary>
    public long StoredBytes => _lanes.Sum(l => l.StoredBytes) + _revisions.Sum(r => r.Writer.StoredBytes);

    /// <inheritdoc/>
    public void Dispose()
    {
        _lanes.ForEach(l => l.Dispose());
        _frames.Dispose();
    }

    /// <summary>Stores the segments, and all of the indexes but their ends.</summary>
    public async Task RunAsync(IProgressReporter progress, CancellationToken cancel)
    {
        var scan = await LeafScan.OpenAsync(_repository, [.. _points.Select(p => p.Point)], cancel);
        _revisions.AddRange(_points.Select((p, n) =>
            new Revision(p, _repository, _layout with { LeafBytes = scan.LeafBytes }, scan.Generation(n) + 1)));
        await foreach (var (number, views) in scan.ReadAsync(cancel))
        {
            await RewriteAsync(number, views, cancel);
            progress.Report("compact", Math.Min(scan.Size, (number + 1) * scan.LeafBytes), scan.Size, "By");
        }

        foreach (var lane in _lanes)
        {
            await lane.StoreAsync(cancel);
        }
    }

    /// <summary>Stores the indexes' ends and references, then the manifests, one right after the other, and gives the points that got a new revision.</summary>
    public async Task<IReadOnlyList<Manifest>> CommitAsync(CancellationToken cancel)
    {
        var next = new List<Manifest>();
        foreach (var revision in _revisions)
        {
            next.Add(await revision.PutAsync(cancel));
            Checkpoints.Pass("compact.referenced");
        }

        var done = new List<Manifest>();
        foreach (var (old, made) in _revisions.Select(r => r.Point.Point).Zip(next))
        {
            // A point that was removed, or got another revision meanwhile, stays as it is; what was written for it is garbage.
            if (await _repository.FindNewestAsync(old, cancel) is { } now && (now.Revision, now.Attempt) == (old.Revision, old.Attempt))
            {
                RequireInTime();
                await _repository.CommitAsync(made, cancel);
                Checkpoints.Pass("compact.committed");
                done.Add(old);
            }
        }

        return done;
    }

    /// <summary>What is stored but not referred to yet outlives the deadline, and not much more; nor does the marker of a point that was pruned meanwhile.</summary>
    private void RequireInTime()
    {
        if (_repository.Now - _started > _options.Deadline)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"the compaction of {_points[0].Point.Disk.Spec} took longer than {_options.Deadline}",
                "No point was harmed. Raise [jobs] deadline and [rotation] grace, or lower [rotation] compact_below.");
        }
    }

    private async Task RewriteAsync(long number, IReadOnlyList<LeafView> views, CancellationToken cancel)
    {
        // Late, the leaves stay as they are: the next compaction goes on.
        var late = _repository.Now - _started > _options.Deadline / 2;
        var (ranges, parts) = (new ShownRanges(), new List<List<ShownPart>>());
        foreach (var (n, view) in views.Index())
        {
            parts.Add([.. late ? [] : view.Pieces.Where(p => Moves(p.Frame)).SelectMany(p => ranges.Add(p, n))]);
            await MoveAsync(_lanes[n], parts[n].Where(p => p.New).Select(p => p.Piece), cancel);
        }

        foreach (var (n, view) in views.Index())
        {
            var folds = view.Layers is null || parts[n].Count > 0 || (!late && view.Layers.Any(l => _indexes.Contains(l.Object.Key)));
            await _revisions[n].AddAsync(number, folds ? Replaced(view.Pieces, parts[n]) : view.Pieces, folds ? null : view.Layers, cancel);
        }

        _lanes.ForEach(l => l.NextLeaf());
    }

    private bool Moves(FrameName? frame) => frame is not null && _segments.Contains((frame.Point, frame.Attempt, frame.Segment));

    private async Task MoveAsync(FrameLane lane, IEnumerable<Piece> pieces, CancellationToken cancel)
    {
        foreach (var piece in pieces)
        {
            foreach (var (offset, data) in (await _frames.GetAsync(piece.Frame!, cancel)).Cut([piece]))
            {
                await lane.AddAsync(offset, data, cancel);
            }

            while (_lanes.Sum(l => l.Waiting) > (long)WaitingSegments * _options.Cut.SegmentBytes)
            {
                await _lanes.MaxBy(l => l.Waiting)!.StoreAsync(cancel);
            }
        }

        lane.CloseFrame();
    }

    /// <summary>A leaf's pieces with what moved in its new place. Nothing lies below a folded leaf: its zeros need not be said.</summary>
    private List<Piece> Replaced(List<Piece> shown, List<ShownPart> parts)
    {
        var (replaced, next) = (new List<Piece>(shown.Count), 0);
        foreach (var piece in shown.Where(p => p.Frame is not null))
        {
            if (next == parts.Count || parts[next].Piece.Offset != piece.Offset)
            {
                replaced.Add(piece);
                continue;
            }

            for (; next < parts.Count && parts[next].Piece.Offset < piece.End; next++)
            {
                Pieces.Append(replaced, _lanes[parts[next].First].Between(parts[next].Piece.Offset, parts[next].Piece.End));
            }
        }

        return replaced;
    }

    /// <summary>A point's next revision, while its index is written.</summary>
    private sealed class Revision(UsingPoint point, PointRepository repository, MergedLayout layout, int generation)
    {
        private readonly AttemptId _attempt = AttemptId.New();
        private readonly ReferenceCounter _counter = new();
        private MergedIndexWriter? _writer;

        public UsingPoint Point => point;

        public MergedIndexWriter Writer => _writer ??= new MergedIndexWriter(repository, point.Point.Point, _attempt, layout, generation);

        /// <summary>Adds a leaf: all that it shows, anew, or by layers that are stored.</summary>
        public Task AddAsync(long number, List<Piece> shown, IReadOnlyList<LeafLayer>? layers, CancellationToken cancel)
        {
            _counter.Add(shown);
            return Writer.AddAsync(number, layers is null ? shown : [], layers ?? [], cancel);
        }

        /// <summary>Stores the index's end and the references, and gives the manifest.</summary>
        public async Task<Manifest> PutAsync(CancellationToken cancel)
        {
            var index = await Writer.FinishAsync(cancel);
            Checkpoints.Pass("compact.indexed");
            var next = point.Point with
            {
                RequiredFeatures = [.. point.Point.RequiredFeatures.Union([FrameHash.Name])],
                Hash = FrameHash.Name,
                Revision = point.Point.Revision + 1,
                Attempt = _attempt,
                Index = index,
            };
            var key = Keys.Manifest(next.Disk.Key, next.Point, next.Revision, next.Attempt, next.Kind, next.StoredBytes);
            var own = point.References.Segments.Where(r => r.Point == next.Point);
            var references = new ReferenceList(
                RepositoryFormat.Version, key, _counter.Runs(own), [.. new[] { next.Plan.Key, index.Key }.Union(Writer.Objects)]);
            return next with { References = await repository.PutReferencesAsync(Keys.References(next.Point, _attempt), references, cancel) };
        }
    }
}
