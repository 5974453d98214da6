using System.Collections.Concurrent;
using System.IO.Hashing;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Restore;

/// <summary>What a fill did.</summary>
/// <param name="WrittenBytes">The bytes written to the image.</param>
/// <param name="VerifiedBytes">The bytes read again and found right.</param>
public sealed record FillResult(long WrittenBytes, long VerifiedBytes);

/// <summary>
/// Writes a point to a new, empty image: each frame proven by its hash when it is fetched, each written run read again through a handle of its own and
/// compared. Holes are not written. Memory: as of <see cref="ChainReader"/>, the frames that are written now, and at most
/// <see cref="MaxCarried"/> that reach into the next window.
/// </summary>
public sealed class ImageFiller(PointRepository repository, int writesInFlight)
{
    /// <summary>
    /// A frame of scattered extents lies across several windows: it is kept from one to the next, not fetched in each. Of a point's frames one at most
    /// reaches over a window's end.
    /// </summary>
    private const int MaxCarried = 64;

    private readonly FrameSource _frames = new(repository);
    private readonly ConcurrentDictionary<FrameName, DecodedFrame> _carried = new();

    /// <summary>Fills the image.</summary>
    /// <param name="chain">The point and what it stands on.</param>
    /// <param name="target">The image, empty, or filled in part with the same point.</param>
    /// <param name="check">The same image through another, read-only handle.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends the fill.</param>
    /// <exception cref="RbdBackupException">Corrupt: a frame is damaged, or the cluster gave back other bytes than were written.</exception>
    public async Task<FillResult> FillAsync(
        IReadOnlyList<Manifest> chain, IImage target, IImage check, IProgressReporter progress, CancellationToken cancel)
    {
        var reader = new ChainReader(repository, chain);
        var total = 0L;
        try
        {
            await foreach (var window in reader.ReadAsync(cancel))
            {
                var written = await WriteWindowAsync(target, reader, window, cancel);
                await target.FlushAsync(cancel);
                await ForEachAsync(written, (run, ct) => VerifyAsync(check, run.Offset, run.Length, run.Hash, ct), cancel);
                total += written.Sum(r => (long)r.Length);
                foreach (var (name, frame) in _carried)
                {
                    Leave(name, frame, window[^1].End);
                }

                progress.Report("restore", window[^1].End, reader.Size, "By");
            }
        }
        finally
        {
            foreach (var (name, frame) in _carried)
            {
                Leave(name, frame, long.MaxValue);
            }
        }

        progress.Report("restore", reader.Size, reader.Size, "By");
        return new FillResult(total, total);
    }

    /// <summary>Keeps a frame that reaches beyond what was written, and gives the others back.</summary>
    private void Leave(FrameName name, DecodedFrame frame, long end)
    {
        if (frame.Runs[^1].End > end && (_carried.Count < MaxCarried || _carried.ContainsKey(name)))
        {
            _carried[name] = frame;
        }
        else
        {
            _carried.TryRemove(name, out _);
            frame.Dispose();
        }
    }

    /// <summary>Writes what a window shows; where a frame is gone, again, by the point's newest revision.</summary>
    private async Task<List<(long Offset, int Length, byte[] Hash)>> WriteWindowAsync(
        IImage target, ChainReader reader, IReadOnlyList<Piece> window, CancellationToken cancel)
    {
        var (written, gone) = (new List<(long, int, byte[])>(), (RbdBackupException?)null);
        await ForEachAsync(window.Where(p => p.Frame is not null).GroupBy(p => p.Frame!), async (pieces, ct) =>
        {
            if (await TryFetchAsync(pieces.Key, e => gone = e, ct) is not { } frame)
            {
                return;
            }

            try
            {
                var runs = await WriteFrameAsync(target, frame, pieces, ct);
                lock (written)
                {
                    written.AddRange(runs);
                }
            }
            finally
            {
                Leave(pieces.Key, frame, window[^1].End);
            }
        }, cancel);
        return gone is null
            ? written
            : await WriteWindowAsync(target, reader, await reader.ReadAgainAsync(window[0].Offset, window[^1].End, gone, cancel), cancel);
    }

    private async Task<DecodedFrame?> TryFetchAsync(FrameName name, Action<RbdBackupException> onGone, CancellationToken cancel)
    {
        if (_carried.TryGetValue(name, out var carried))
        {
            return carried;
        }

        try
        {
            return await _frames.FetchAsync(name, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            onGone(e);
            return null;
        }
    }

    private static async Task<List<(long Offset, int Length, byte[] Hash)>> WriteFrameAsync(
        IImage target, DecodedFrame frame, IEnumerable<Piece> pieces, CancellationToken cancel)
    {
        var written = new List<(long, int, byte[])>();
        foreach (var (offset, data) in frame.Cut(pieces))
        {
            await target.WriteAsync(offset, data, cancel);
            Checkpoints.Pass("restore.write");
            written.Add((offset, data.Length, XxHash128.Hash(data.Span)));
        }

        return written;
    }

    private static async ValueTask VerifyAsync(IImage check, long offset, int length, byte[] hash, CancellationToken cancel)
    {
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(length);
        try
        {
            await check.ReadAsync(offset, buffer.AsMemory(0, length), cancel);
            if (!XxHash128.Hash(buffer.AsSpan(0, length)).AsSpan().SequenceEqual(hash))
            {
                throw new RbdBackupException(
                    ErrorKind.Corrupt, $"{check.Spec} gave back other bytes at {offset} (length {length}) than were written",
                    "The point is whole, the cluster is not: look at 'ceph health detail', then restore again.");
            }
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private Task ForEachAsync<T>(IEnumerable<T> items, Func<T, CancellationToken, ValueTask> action, CancellationToken cancel) =>
        Parallel.ForEachAsync(items, new ParallelOptions { MaxDegreeOfParallelism = writesInFlight, CancellationToken = cancel }, action);
}
