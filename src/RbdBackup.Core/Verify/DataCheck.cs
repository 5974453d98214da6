using System.Buffers;
using System.Security.Cryptography;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Verify;

/// <summary>
/// Goes through a point's indexes as a restore does. Quick: each frame lies in its object. Data: each is fetched and proven and holds what the index says; the
/// point's own plan, footers, frames and index agree. Memory: a window's pieces, a segment's pieces, and the prover's.
/// </summary>
internal sealed class DataCheck(PointRepository repository, ObjectLengths lengths, FrameProver frames, int parallel)
{
    private const int DigestRead = 4 << 20;

    private readonly HashSet<ObjectReference> _proven = [];

    /// <summary>Walks the indexes and looks whether the objects reach as far as the frames that they name.</summary>
    public Task CheckReachAsync(IReadOnlyList<Manifest> chain, Findings findings, IProgressReporter progress, CancellationToken cancel) =>
        findings.TryAsync(chain[^1].Index.Key, () => WalkAsync(chain, progress, window => ReachAsync(window, findings, cancel), cancel));

    /// <summary>Reads and proves everything.</summary>
    public async Task CheckDataAsync(IReadOnlyList<Manifest> chain, Findings findings, IProgressReporter progress, CancellationToken cancel)
    {
        var point = chain[^1];
        foreach (var named in chain.Select(m => m.Index).Append(point.Plan).Where(r => !_proven.Contains(r)))
        {
            _ = await findings.TryAsync(named.Key, () => RequireDigestAsync(named, cancel)) && _proven.Add(named);
        }

        var own = await OpenOwnAsync(point, findings, cancel);
        await findings.TryAsync(point.Index.Key, () => WalkAsync(chain, progress, async window =>
        {
            // The own segments first: their frames are then known, and are not fetched again.
            var expected = own is null ? [] : await own.ReadAsync(window.Start, window.End, cancel);
            await ProveAsync(window.Pieces, findings, cancel);
            if (own is { Whole: true } && OwnPieces.Differ(expected, window.Pieces, point.Point) is { } at)
            {
                findings.Add(point.Index.Key, $"shows something else at byte {at} of the image than the point's plan and segments");
            }
        }, cancel));
        if (own is not null)
        {
            await own.FinishAsync(cancel);
        }
    }

    /// <summary>Forgets what was proven.</summary>
    public void Clear() => _proven.Clear();

    private async Task WalkAsync(IReadOnlyList<Manifest> chain, IProgressReporter progress, Func<Window, Task> check, CancellationToken cancel)
    {
        // Not by a ChainReader, which goes on with a newer revision: this one is judged.
        var cursor = await ChainCursor.OpenAsync(repository, chain, cancel);
        var size = chain[^1].Size;
        for (var start = 0L; start < size; start += ChainReader.WindowBytes)
        {
            var end = Math.Min(size, start + ChainReader.WindowBytes);
            await check(new Window(start, end, await cursor.ReadAsync(start, end, cancel)));
            progress.Report("verify", end, size, "By");
        }
    }

    private async Task ReachAsync(Window window, Findings findings, CancellationToken cancel)
    {
        FrameName? last = null;
        foreach (var frame in window.Pieces.Select(p => p.Frame).OfType<FrameName>())
        {
            if (!ReferenceEquals(frame, last))
            {
                var length = await lengths.FindAsync(frame, cancel);
                if (length is null || length - frame.Length < frame.Offset)
                {
                    findings.Add(frame.Key, length is null ? "is missing, and the index needs it" : $"ends at byte {length}, before a frame that the index needs");
                }

                last = frame;
            }
        }
    }

    private async Task ProveAsync(List<Piece> pieces, Findings findings, CancellationToken cancel)
    {
        var parallelism = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancel };
        await Parallel.ForEachAsync(pieces.Where(p => p.Frame is not null).GroupBy(p => p.Frame!), parallelism, async (group, ct) =>
        {
            var proof = await frames.ProveAsync(group.Key, ct);
            if (proof.Failure is { } why)
            {
                findings.Add(group.Key.Key, why);
            }
            else if (group.Where(p => !proof.Covers(p)).Select(p => (Piece?)p).FirstOrDefault() is { } lacks)
            {
                findings.Add(group.Key.Key, $"has a frame (number {proof.Number}) without what the index says: bytes {lacks.Offset} to {lacks.End} of the image");
            }
        });
    }

    /// <summary>The point's own segments; null where the plan is damaged, or the point has others than those of its plan.</summary>
    private async Task<OwnStream?> OpenOwnAsync(Manifest point, Findings findings, CancellationToken cancel)
    {
        OwnStream? own = null;
        await findings.TryAsync(point.Plan.Key, async () =>
        {
            var plan = await PointPlan.ReadAsync(repository.Store, new StoredObject(point.Plan.Key, point.Plan.Length, default), repository.Codec, cancel);
            var head = plan.Head;
            if (head.Point != point.Point || head.Size != point.Size || head.Kind != point.Kind || head.Snapshot != point.Snapshot || head.Disk != point.Disk || head.Base != point.Base)
            {
                throw RepositoryFormat.Corrupt(point.Plan.Key, "is the plan of something else than its manifest");
            }

            var runs = (await repository.ReadReferencesAsync(point, cancel)).Segments.Where(r => r.Point == point.Point).ToList();
            own = runs.Sum(r => r.Last - r.First + 1L) == point.Segments
                ? new OwnStream(repository, point, plan, runs, lengths, frames, findings, parallel)
                : null;
        });
        return own;
    }

    private async Task RequireDigestAsync(ObjectReference named, CancellationToken cancel)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(DigestRead, Math.Max(1, named.Length)));
        try
        {
            for (var at = 0L; at < named.Length;)
            {
                var part = buffer.AsMemory(0, (int)Math.Min(buffer.Length, named.Length - at));
                await repository.Store.GetRangeAsync(named.Key, at, part, cancel);
                sha.AppendData(part.Span);
                at += part.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (Convert.ToHexStringLower(sha.GetHashAndReset()) != named.Sha256)
        {
            throw RepositoryFormat.Corrupt(named.Key, "does not match the digest in its manifest");
        }
    }

    private sealed record Window(long Start, long End, List<Piece> Pieces);
}

/// <summary>Compares what a point's own segments hold with what its index shows. Pure.</summary>
internal static class OwnPieces
{
    /// <summary>The first byte at which they differ; null where they agree. The own pieces lie on top: data must be shown as it is, zeros with no data of others.</summary>
    /// <param name="own">What plan and segments give of a window, ascending.</param>
    /// <param name="shown">What the index shows of the same window, ascending.</param>
    /// <param name="point">The point.</param>
    public static long? Differ(List<Piece> own, List<Piece> shown, PointId point)
    {
        var (data, visible) = (new List<Piece>(), new List<Piece>());
        Pieces.Append(data, own.Where(p => p.Frame is not null));
        Pieces.Append(visible, shown.Where(p => p.Frame?.Point == point));
        if (data.Zip(visible).FirstOrDefault(p => p.First != p.Second) is { First.Length: > 0 } different)
        {
            return Math.Min(different.First.Offset, different.Second.Offset);
        }

        if (data.Count != visible.Count)
        {
            return (data.Count > visible.Count ? data : visible)[Math.Min(data.Count, visible.Count)].Offset;
        }

        var next = 0;
        foreach (var zeros in own.Where(p => p.Frame is null))
        {
            while (next < shown.Count && shown[next].End <= zeros.Offset)
            {
                next++;
            }

            for (var n = next; n < shown.Count && shown[n].Offset < zeros.End; n++)
            {
                if (shown[n].Frame is not null)
                {
                    return Math.Max(shown[n].Offset, zeros.Offset);
                }
            }
        }

        return null;
    }
}
