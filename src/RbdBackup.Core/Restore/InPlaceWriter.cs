using System.Buffers;
using System.Collections;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Restore;

/// <summary>
/// Makes an existing image what a point is: reads both, part by part, and writes what differs; each written range is read again. Parts in which neither has
/// anything are not read.
/// </summary>
internal sealed class InPlaceWriter(PointRepository repository, int parallel)
{
    /// <summary>Which parts of an image may hold something, its parent's data among it; by number.</summary>
    public static async Task<BitArray> FindDataAsync(IImage image, long size, CancellationToken cancel)
    {
        var parts = new BitArray((int)PointParts.CountOf(size));
        if (size > 0)
        {
            await image.DiffAsync(null, 0, size, includeParent: true, wholeObject: true, extent =>
            {
                for (var part = extent.Offset / PointParts.PartBytes; extent.Exists && part * PointParts.PartBytes < extent.End; part++)
                {
                    parts[(int)part] = true;
                }
            }, cancel);
        }

        return parts;
    }

    /// <summary>Writes what differs, and returns how many bytes that were.</summary>
    /// <param name="chain">The point and what it stands on.</param>
    /// <param name="target">The image, which nobody else writes to.</param>
    /// <param name="check">The same image through another, read-only handle.</param>
    /// <param name="size">The image's size in bytes; behind the point's size zeros are wanted.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends the work.</param>
    public async Task<long> WriteAsync(
        IReadOnlyList<Manifest> chain, IImage target, IImage check, long size, IProgressReporter progress, CancellationToken cancel)
    {
        var holds = await FindDataAsync(target, size, cancel);
        var written = 0L;
        using var point = new PointParts(repository, chain, parallel);
        var options = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancel };
        await foreach (var batch in point.ReadAsync(Enumerable.Range(0, holds.Count).Select(n => (long)n), size, cancel))
        {
            var wanted = batch.Where(p => p.Pieces.Count > 0 || holds[(int)(p.Offset / PointParts.PartBytes)]);
            await Parallel.ForEachAsync(wanted, options, async (part, ct) => Interlocked.Add(ref written, await WritePartAsync(target, check, part, ct)));
            progress.Report("restore", batch[^1].Offset + batch[^1].Length, size, "By");
        }

        await target.FlushAsync(cancel);
        return written;
    }

    private static async Task<long> WritePartAsync(IImage target, IImage check, PointPart part, CancellationToken cancel)
    {
        var (wanted, actual) = (ArrayPool<byte>.Shared.Rent(part.Length), ArrayPool<byte>.Shared.Rent(part.Length));
        try
        {
            part.CopyTo(wanted.AsSpan(0, part.Length));
            await target.ReadAsync(part.Offset, actual.AsMemory(0, part.Length), cancel);
            var ranges = ByteDifference.Between(wanted.AsSpan(0, part.Length), actual.AsSpan(0, part.Length));
            foreach (var range in ranges)
            {
                var at = part.Offset + range.Offset;
                await (range.IsZero
                    ? target.WriteZeroesAsync(at, range.Length, cancel)
                    : target.WriteAsync(at, wanted.AsMemory(range.Offset, range.Length), cancel));
                Checkpoints.Pass("in-place.write");
            }

            if (ranges.Count > 0)
            {
                await VerifyAsync(check, part, wanted, actual, cancel);
            }

            return ranges.Sum(r => (long)r.Length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(wanted);
            ArrayPool<byte>.Shared.Return(actual);
        }
    }

    private static async Task VerifyAsync(IImage check, PointPart part, byte[] wanted, byte[] actual, CancellationToken cancel)
    {
        await check.ReadAsync(part.Offset, actual.AsMemory(0, part.Length), cancel);
        var same = wanted.AsSpan(0, part.Length).CommonPrefixLength(actual.AsSpan(0, part.Length));
        if (same < part.Length)
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt, $"{check.Spec} gave back another byte at {part.Offset + same} than was written",
                $"The point is whole, the cluster is not: look at 'ceph health detail', then restore again, or 'rbdbackup restore --undo {check.Spec}'.");
        }
    }
}
