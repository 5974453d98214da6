using RbdBackup.Core.Diff;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Restore;

/// <summary>Writes points as <c>rbd diff v1</c> streams, for <c>rbd import-diff</c>.</summary>
public sealed class PointStream(PointRepository repository)
{
    private const int CachedFrames = 64;

    private readonly FrameSource _frames = new(repository);

    /// <summary>The point's own stream, as its segments hold it: a full's whole image, or an increment's difference from its base.</summary>
    /// <param name="point">A point with an index of its own (not <see cref="Manifest.HasMergedIndex"/>).</param>
    /// <param name="output">Where the stream goes.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends the export.</param>
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
        using var stream = new Records(_frames, output, null, chain[^1]);
        var reader = new ChainReader(repository, chain);
        await foreach (var window in reader.ReadAsync(cancel))
        {
            await stream.WriteAsync(window.Where(p => p.Frame is not null), reader, zeros: false, cancel);
            progress.Report("export", window[^1].End, reader.Size, "By");
        }

        await stream.EndAsync(cancel);
    }

    /// <summary>
    /// What makes one point of an image of another, whichever chains they are of, and whichever is older. A range that both take from the same frame is the
    /// same; what only <paramref name="from"/> has becomes zeros.
    /// </summary>
    public async Task ExportBetweenAsync(
        IReadOnlyList<Manifest> from, IReadOnlyList<Manifest> to, Stream output, IProgressReporter progress, CancellationToken cancel)
    {
        using var stream = new Records(_frames, output, from[^1], to[^1]);
        var (before, after) = (new ChainReader(repository, from), new ChainReader(repository, to));
        for (var start = 0L; start < after.Size; start += ChainReader.WindowBytes)
        {
            var end = Math.Min(after.Size, start + ChainReader.WindowBytes);
            var changes = PointDifference.Between(await before.ReadAsync(start, end, cancel), await after.ReadAsync(start, end, cancel));
            await stream.WriteAsync(changes, after, zeros: true, cancel);
            progress.Report("export", end, after.Size, "By");
        }

        await stream.EndAsync(cancel);
    }

    private async Task ExportSegmentAsync(SegmentRun run, int number, Stream output, CancellationToken cancel)
    {
        var key = Keys.Segment(run.Point, number, run.Attempt);
        var stored = await repository.Store.StatAsync(key, cancel)
            ?? throw RepositoryFormat.Corrupt(key, "is missing");
        var (footer, _) = await SegmentStore.ReadFooterAsync(repository, new FrameName(run.Point, run.Attempt, number, 0, 0), stored.Length, cancel);
        foreach (var (n, location) in footer.Frames.Index())
        {
            using var frame = await _frames.FetchAsync(new FrameName(run.Point, run.Attempt, number, location.Offset, location.Length), cancel);
            if (frame.Header.Number != n)
            {
                throw RepositoryFormat.Corrupt(key, $"has frame {frame.Header.Number} in the place of frame {n}");
            }

            await output.WriteAsync(frame.Records, cancel);
        }
    }

    /// <summary>A stream that is being written. Memory: the cached frames, and the records of one.</summary>
    private sealed class Records : IDisposable
    {
        private readonly PooledBuffer _buffer = new(64 << 10);
        private readonly DiffWriter _writer;
        private readonly FrameCache _cache;
        private readonly Stream _output;

        public Records(FrameSource frames, Stream output, Manifest? from, Manifest to)
        {
            (_cache, _output) = (new FrameCache(frames, CachedFrames), output);
            _writer = new DiffWriter(_buffer, DiffFormat.V1);
            _writer.Header();
            if (from is not null)
            {
                _writer.FromSnap(StreamHead.SnapshotName(from.Point));
            }

            _writer.ToSnap(StreamHead.SnapshotName(to.Point));
            _writer.Size(to.Size);
        }

        public void Dispose()
        {
            _cache.Dispose();
            _buffer.Dispose();
        }

        /// <summary>
        /// Writes pieces; with <paramref name="zeros"/> those without data too, and the zeros in frames. Once a frame is gone, all pieces are looked up
        /// again, by the point's newest revision.
        /// </summary>
        public async Task WriteAsync(IEnumerable<Piece> pieces, ChainReader reader, bool zeros, CancellationToken cancel)
        {
            var stale = false;
            foreach (var piece in pieces)
            {
                if (stale && piece.Frame is not null)
                {
                    await WriteAsync(Pieces.Filled(await reader.ReadAsync(piece.Offset, piece.End, cancel), piece), reader, zeros, cancel);
                    continue;
                }

                try
                {
                    Write(piece, piece.Frame is null ? null : await _cache.GetAsync(piece.Frame, cancel), zeros);
                }
                catch (RbdBackupException missing) when (missing.Kind == ErrorKind.NotFound)
                {
                    await WriteAsync(Pieces.Filled(await reader.ReadAgainAsync(piece.Offset, piece.End, missing, cancel), piece), reader, zeros, cancel);
                    stale = true;
                }

                await _buffer.DrainAsync(_output, cancel);
            }
        }

        public async Task EndAsync(CancellationToken cancel)
        {
            _writer.End();
            await _buffer.DrainAsync(_output, cancel);
        }

        private void Write(Piece piece, DecodedFrame? frame, bool zeros)
        {
            if (frame is null && zeros)
            {
                _writer.Zero(piece.Offset, piece.Length);
            }

            foreach (var (run, data) in frame?.Show([piece]) ?? [])
            {
                if (!run.IsZero)
                {
                    _writer.Data(run.Offset, data.Span);
                }
                else if (zeros)
                {
                    _writer.Zero(run.Offset, run.Length);
                }
            }
        }
    }
}
