using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Verify;

/// <summary>What is known of a frame after it was fetched and proven, without its data.</summary>
/// <param name="Failure">Why it could not be proven; null where it was.</param>
/// <param name="Number">Its number in the segment.</param>
/// <param name="End">True where it closes the stream.</param>
/// <param name="Extents">What it covers, neighbours of one kind joined.</param>
/// <param name="DataBytes">The bytes in its <c>w</c> records.</param>
/// <param name="ZeroBytes">The bytes in its <c>z</c> records.</param>
internal sealed record FrameProof(string? Failure, int Number, bool End, IReadOnlyList<Extent> Extents, long DataBytes, long ZeroBytes)
{
    /// <summary>True where it holds data for the whole of a piece.</summary>
    public bool Covers(Piece piece)
    {
        var at = piece.Offset;
        foreach (var extent in Extents)
        {
            at = extent.Exists && extent.Offset <= at && extent.End > at ? extent.End : at;
        }

        return at >= piece.End;
    }
}

/// <summary>
/// Fetches frames and proves them, each once as far as a bounded memory reaches: several points of a chain, and several windows of one image, need the same
/// ones. May be used by many at a time.
/// </summary>
internal sealed class FrameProver(PointRepository repository)
{
    private const int MaxFrames = 100_000;
    private const int MaxExtents = 1_000_000;

    private readonly FrameSource _frames = new(repository);
    private readonly Dictionary<FrameName, FrameProof> _known = [];
    private readonly Queue<FrameName> _order = new();
    private readonly Lock _lock = new();
    private int _extents;
    private long _bytes;

    /// <summary>The stored bytes that were fetched.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Proves a frame, or says how it went the last time.</summary>
    public async Task<FrameProof> ProveAsync(FrameName name, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (_known.TryGetValue(name, out var known))
            {
                return known;
            }
        }

        var proof = await FetchAsync(name, cancel);
        lock (_lock)
        {
            if (_known.TryAdd(name, proof))
            {
                _order.Enqueue(name);
                _extents += proof.Extents.Count;
            }

            while (_known.Count > MaxFrames || _extents > MaxExtents)
            {
                _known.Remove(_order.Dequeue(), out var dropped);
                _extents -= dropped!.Extents.Count;
            }
        }

        return proof;
    }

    private async Task<FrameProof> FetchAsync(FrameName name, CancellationToken cancel)
    {
        try
        {
            using var frame = await _frames.FetchAsync(name, cancel);
            Interlocked.Add(ref _bytes, name.Length);
            var zeros = frame.Runs.Where(r => r.IsZero).Sum(r => r.Length);
            return new FrameProof(null, frame.Header.Number, frame.Header.End, Join(frame.Header.Extents), frame.Runs.Sum(r => r.Length) - zeros, zeros);
        }
        catch (RbdBackupException e) when (Findings.IsDamage(e))
        {
            return new FrameProof(e.Message, 0, false, [], 0, 0);
        }
    }

    /// <summary>Extents with neighbours of one kind joined, as indexes join them.</summary>
    public static IReadOnlyList<Extent> Join(IReadOnlyList<Extent> extents)
    {
        var joined = new List<Extent>();
        foreach (var extent in extents)
        {
            if (joined.Count > 0 && joined[^1].End == extent.Offset && joined[^1].Exists == extent.Exists)
            {
                joined[^1] = joined[^1] with { Length = joined[^1].Length + extent.Length };
            }
            else
            {
                joined.Add(extent);
            }
        }

        return joined;
    }
}
