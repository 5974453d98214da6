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
    public const int PartBytes = PointParts.PartBytes;

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
        var (done, bytes) = (0L, 0L);
        var options = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancel };
        using var point = new PointParts(repository, chain, parallel);
        await foreach (var batch in point.ReadAsync(parts, chain[^1].Size, cancel))
        {
            await Parallel.ForEachAsync(batch, options, (part, ct) => CompareAsync(image, part, chain[^1].Point, findings, ct));
            bytes += batch.Sum(p => (long)p.Length);
            progress.Report("compare", (done += batch.Count) * PartBytes, count * PartBytes, "By");
        }

        return bytes;
    }

    private async ValueTask CompareAsync(IImage image, PointPart part, PointId point, Findings findings, CancellationToken cancel)
    {
        var (offset, length) = (part.Offset, part.Length);
        var (expected, actual) = (ArrayPool<byte>.Shared.Rent(length), ArrayPool<byte>.Shared.Rent(length));
        try
        {
            part.CopyTo(expected.AsSpan(0, length));
            await throttle.WaitAsync(length, cancel);
            await image.ReadAsync(offset, actual.AsMemory(0, length), cancel);
            var same = expected.AsSpan(0, length).CommonPrefixLength(actual);
            if (same < length)
            {
                var end = length;
                for (; expected[end - 1] == actual[end - 1]; end--)
                {
                }

                findings.Add($"{image.Spec}, bytes {offset + same} to {offset + end}", $"differ from the point, {Whose(part.Pieces, offset + same, point)}");
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
}
