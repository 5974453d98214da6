using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Verify;

/// <summary>
/// Compares a point, as the repository gives it, with an image byte by byte, holes too: what the point has nowhere must read as zeros. Memory: two parts of
/// the image for each that is compared at a time, and the frames that were used last.
/// </summary>
internal sealed class ImageComparer(PointRepository repository, int parallel, IThrottle throttle)
{
    /// <summary>The bytes of a part, as large as a RADOS object usually is.</summary>
    public const int PartBytes = 4 << 20;

    private const int HeldFrames = 64;

    private readonly FrameSource _frames = new(repository);

    /// <summary>Compares parts of an image and returns how many bytes were compared.</summary>
    /// <param name="chain">The point and what it stands on.</param>
    /// <param name="image">The image, shown at what the point should be.</param>
    /// <param name="parts">The parts, by number, ascending.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="findings">Told of what differs.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends the comparison.</param>
    public async Task<long> CompareAsync(
        IReadOnlyList<Manifest> chain, IImage image, IEnumerable<long> parts, long count, Findings findings, IProgressReporter progress, CancellationToken cancel)
    {
        var reader = new ChainReader(repository, chain);
        var (held, done, bytes) = (new Dictionary<FrameName, DecodedFrame>(), 0L, 0L);
        try
        {
            foreach (var batch in parts.Chunk(parallel))
            {
                var ranges = new List<(long Offset, int Length, IReadOnlyList<Piece> Pieces)>();
                foreach (var offset in batch.Select(p => p * PartBytes))
                {
                    var length = (int)Math.Min(PartBytes, reader.Size - offset);
                    ranges.Add((offset, length, await reader.ReadAsync(offset, offset + length, cancel)));
                }

                await HoldAsync(held, [.. ranges.SelectMany(r => r.Pieces).Select(p => p.Frame).OfType<FrameName>().Distinct()], cancel);
                await ForEachAsync(ranges, (r, ct) => CompareAsync(image, r.Offset, r.Length, r.Pieces, held, chain[^1].Point, findings, ct), cancel);
                bytes += ranges.Sum(r => (long)r.Length);
                progress.Report("compare", (done += batch.Length) * PartBytes, count * PartBytes, "By");
            }
        }
        finally
        {
            held.Values.ToList().ForEach(f => f.Dispose());
        }

        return bytes;
    }

    /// <summary>Fetches the frames that are not held yet; those that are not needed now go, past a number.</summary>
    private async Task HoldAsync(Dictionary<FrameName, DecodedFrame> held, IReadOnlyCollection<FrameName> needed, CancellationToken cancel)
    {
        foreach (var unneeded in held.Keys.Except(needed).Take(Math.Max(0, held.Count + needed.Count - HeldFrames)).ToList())
        {
            held.Remove(unneeded, out var dropped);
            dropped!.Dispose();
        }

        await ForEachAsync(needed.Where(n => !held.ContainsKey(n)).ToList(), async (name, ct) =>
        {
            var frame = await FetchAsync(name, ct);
            lock (held)
            {
                held.Add(name, frame);
            }
        }, cancel);
    }

    private async Task<DecodedFrame> FetchAsync(FrameName name, CancellationToken cancel)
    {
        try
        {
            return await _frames.FetchAsync(name, cancel);
        }
        catch (RbdBackupException missing) when (missing.Kind == ErrorKind.NotFound)
        {
            throw new RbdBackupException(ErrorKind.Corrupt, $"{missing.Message}, and the point needs it", missing.Remedy, missing);
        }
    }

    private async ValueTask CompareAsync(
        IImage image, long offset, int length, IReadOnlyList<Piece> pieces, Dictionary<FrameName, DecodedFrame> held, PointId point, Findings findings, CancellationToken cancel)
    {
        var (expected, actual) = (ArrayPool<byte>.Shared.Rent(length), ArrayPool<byte>.Shared.Rent(length));
        try
        {
            expected.AsSpan(0, length).Clear();
            foreach (var group in pieces.Where(p => p.Frame is not null).GroupBy(p => p.Frame!))
            {
                foreach (var (at, data) in held[group.Key].Cut(group))
                {
                    data.Span.CopyTo(expected.AsSpan((int)(at - offset)));
                }
            }

            await throttle.WaitAsync(length, cancel);
            await image.ReadAsync(offset, actual.AsMemory(0, length), cancel);
            var same = expected.AsSpan(0, length).CommonPrefixLength(actual);
            if (same < length)
            {
                var end = length;
                for (; expected[end - 1] == actual[end - 1]; end--)
                {
                }

                findings.Add($"{image.Spec}, bytes {offset + same} to {offset + end}", $"differ from the point, {Whose(pieces, offset + same, point)}");
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(expected);
            ArrayPool<byte>.Shared.Return(actual);
        }
    }

    private static string Whose(IReadOnlyList<Piece> pieces, long at, PointId point) =>
        pieces.Where(p => p.Offset <= at && at < p.End).Select(p => (Piece?)p).FirstOrDefault() switch
        {
            null => "which has nothing there",
            { Frame: null } => "which has zeros there",
            { Frame: var frame } when frame.Point == point => "which stored this range itself",
            { Frame: var frame } => $"which did not store this range: it shows what point {frame.Point} stored",
        };

    private Task ForEachAsync<T>(IEnumerable<T> items, Func<T, CancellationToken, ValueTask> action, CancellationToken cancel) =>
        Parallel.ForEachAsync(items, new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancel }, action);
}
