using RbdBackup.Core.Diff;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Restore;

/// <summary>Writes points as <c>rbd diff v1</c> streams, for <c>rbd import-diff</c>.</summary>
public sealed class PointStream(PointRepository repository)
{
    // Frames of an increment lie across those of its full; some are needed again a little later.
    private const int CachedFrames = 64;

    private readonly FrameSource _frames = new(repository.Store, repository.Codec);

    /// <summary>The point's own stream: a full's whole image, or an increment's difference from its base.</summary>
    public async Task ExportAsync(Manifest point, Stream output, IProgressReporter progress, CancellationToken cancel)
    {
        var index = await repository.ReadIndexAsync(point, cancel);
        var done = 0;
        foreach (var run in index.Segments)
        {
            for (var number = run.First; number <= run.Last; number++)
            {
                await ExportSegmentAsync(run, number, output, cancel);
                progress.Report("export", ++done, point.Segments, "{segment}");
            }
        }
    }

    /// <summary>The whole image at the point as one stream, whatever chain the point stands on.</summary>
    public async Task ExportFullAsync(IReadOnlyList<Manifest> chain, Stream output, IProgressReporter progress, CancellationToken cancel)
    {
        using var records = new PooledBuffer(64 << 10);
        var writer = new DiffWriter(records, DiffFormat.V1);
        writer.Header();
        writer.ToSnap(StreamHead.SnapshotName(chain[^1].Point));
        writer.Size(chain[^1].Size);
        var reader = new ChainReader(repository, chain);
        await using var cache = new FrameCache(_frames, CachedFrames);
        await foreach (var window in reader.ReadAsync(cancel))
        {
            foreach (var piece in window.Where(p => p.Frame is not null))
            {
                var frame = await cache.GetAsync(piece.Segments!, piece.Frame!.Value, cancel);
                foreach (var (offset, data) in frame.Cut([piece]))
                {
                    writer.Data(offset, data.Span);
                }

                await records.DrainAsync(output, cancel);
            }

            progress.Report("export", window[^1].End, reader.Size, "By");
        }

        writer.End();
        await records.DrainAsync(output, cancel);
    }

    private async Task ExportSegmentAsync(SegmentRun run, int number, Stream output, CancellationToken cancel)
    {
        var key = Keys.Segment(run.Point, number, run.Attempt);
        var stored = await repository.Store.StatAsync(key, cancel)
            ?? throw RepositoryFormat.Corrupt(key, "is missing");
        var (footer, _) = await TailDirectory.ReadAsync(repository.Store, key, stored.Length, RepositoryJson.Default.SegmentFooter, cancel);
        foreach (var (n, location) in footer.Frames.Index())
        {
            using var frame = await _frames.FetchAsync(run, new FrameAddress(0, number, location.Offset, location.Length), cancel);
            if (frame.Header.Number != n)
            {
                throw RepositoryFormat.Corrupt(key, $"has frame {frame.Header.Number} in the place of frame {n}");
            }

            await output.WriteAsync(frame.Records, cancel);
        }
    }

    private sealed class FrameCache(FrameSource source, int capacity) : IAsyncDisposable
    {
        private readonly Dictionary<(SegmentRun, FrameAddress), LinkedListNode<((SegmentRun, FrameAddress) Key, DecodedFrame Frame)>> _known = [];
        private readonly LinkedList<((SegmentRun, FrameAddress) Key, DecodedFrame Frame)> _byUse = [];

        public async Task<DecodedFrame> GetAsync(SegmentRun run, FrameAddress address, CancellationToken cancel)
        {
            if (_known.TryGetValue((run, address), out var node))
            {
                _byUse.Remove(node);
                _byUse.AddFirst(node);
                return node.Value.Frame;
            }

            if (_byUse.Count == capacity)
            {
                Drop(_byUse.Last!);
            }

            var frame = await source.FetchAsync(run, address, cancel);
            _known[(run, address)] = _byUse.AddFirst(((run, address), frame));
            return frame;
        }

        public ValueTask DisposeAsync()
        {
            while (_byUse.Last is { } last)
            {
                Drop(last);
            }

            return ValueTask.CompletedTask;
        }

        private void Drop(LinkedListNode<((SegmentRun, FrameAddress) Key, DecodedFrame Frame)> node)
        {
            _byUse.Remove(node);
            _known.Remove(node.Value.Key);
            node.Value.Frame.Dispose();
        }
    }
}
