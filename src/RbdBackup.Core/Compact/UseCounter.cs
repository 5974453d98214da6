using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Compact;

/// <summary>Counts how much of segments and of index pages points still use, united over all of them. Memory: a number for each segment and object.</summary>
/// <param name="repository">The repository.</param>
/// <param name="living">The points that have a manifest: all that their own segments hold, they show.</param>
internal sealed class UseCounter(PointRepository repository, IReadOnlySet<PointId> living)
{
    private readonly Dictionary<(PointId Point, AttemptId Attempt), Dictionary<int, long>> _shown = [];
    private readonly Dictionary<IndexObject, long> _named = [];

    /// <summary>Goes through all that points show.</summary>
    public async Task CountAsync(IReadOnlyList<Manifest> points, IProgressReporter progress, CancellationToken cancel)
    {
        var scan = await LeafScan.OpenAsync(repository, points, cancel);
        await foreach (var (number, views) in scan.ReadAsync(cancel))
        {
            var (ranges, pages) = (new ShownRanges(), new HashSet<(string, long)>());
            foreach (var (n, view) in views.Index())
            {
                foreach (var piece in view.Pieces.Where(p => p.Frame is { } frame && !living.Contains(frame.Point)))
                {
                    Add(piece.Frame!, ranges.Add(piece, n).Where(p => p.New).Sum(p => p.Piece.Length));
                }

                foreach (var (layer, page) in (view.Layers ?? []).SelectMany(l => l.Pages.Select(p => (l, p))).Where(p => pages.Add((p.l.Object.Key, p.p.Offset))))
                {
                    _named[layer.Object] = _named.GetValueOrDefault(layer.Object) + page.Length;
                }
            }

            progress.Report("count what is used", Math.Min(scan.Size, (number + 1) * scan.LeafBytes), scan.Size, "By");
        }
    }

    /// <summary>What is known of the segments of points that are gone. Those that can't be read are left out: to find damage is not a compaction's task.</summary>
    public async Task<IReadOnlyList<SegmentUse>> SegmentsAsync(CancellationToken cancel)
    {
        var uses = new List<SegmentUse>();
        var footers = ListAsync(cancel).SelectParallelAsync(PointRepository.ReadsInFlight, TryReadAsync, cancel);
        await foreach (var use in footers.WithCancellation(cancel))
        {
            uses.AddRange(use is null ? [] : [use]);
        }

        return uses;
    }

    /// <summary>The objects of pages, but those that are a point's newest index themselves: their roots are needed anyway.</summary>
    public IEnumerable<IndexUse> Indexes(IEnumerable<Manifest> points) =>
        _named.ExceptBy(points.Select(p => p.Index.Key), n => n.Key.Key).Select(n => new IndexUse(n.Key.Key, n.Value, n.Key.Length));

    private void Add(FrameName frame, long bytes)
    {
        if (!_shown.TryGetValue((frame.Point, frame.Attempt), out var segments))
        {
            _shown[(frame.Point, frame.Attempt)] = segments = [];
        }

        segments[frame.Segment] = segments.GetValueOrDefault(frame.Segment) + bytes;
    }

    private async IAsyncEnumerable<(SegmentUse Use, string Key)> ListAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var point in _shown.Keys.Select(k => k.Point).Distinct().ToList())
        {
            await foreach (var stored in repository.Store.ListAsync(Keys.PointData(point), cancel))
            {
                if (Keys.TryParseSegment(stored.Key) is { } segment && _shown.TryGetValue((point, segment.Attempt), out var shown)
                    && shown.TryGetValue(segment.Number, out var bytes))
                {
                    yield return (new SegmentUse(point, segment.Attempt, segment.Number, stored.Length, bytes, 0), stored.Key);
                }
            }
        }
    }

    private async Task<SegmentUse?> TryReadAsync((SegmentUse Use, string Key) segment, CancellationToken cancel)
    {
        try
        {
            var name = new FrameName(segment.Use.Point, segment.Use.Attempt, segment.Use.Number, 0, 1);
            var (footer, _) = await SegmentStore.ReadFooterAsync(repository, name, segment.Use.Length, cancel);
            return segment.Use with { Told = footer.DataBytes + footer.ZeroBytes };
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
        {
            return null;
        }
    }
}
