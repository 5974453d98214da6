using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>A part of an image as a point has it; good until the next batch is asked for.</summary>
internal sealed class PointPart(long offset, int length, IReadOnlyList<Piece> pieces, IReadOnlyDictionary<FrameName, DecodedFrame> held)
{
    /// <summary>Where it starts in the image, in bytes.</summary>
    public long Offset => offset;

    /// <summary>How long it is, in bytes.</summary>
    public int Length => length;

    /// <summary>What the point shows of it; what is in none is a hole.</summary>
    public IReadOnlyList<Piece> Pieces => pieces;

    /// <summary>Its bytes, holes as zeros.</summary>
    /// <param name="bytes">As long as the part.</param>
    public void CopyTo(Span<byte> bytes)
    {
        bytes.Clear();
        foreach (var group in pieces.Where(p => p.Frame is not null).GroupBy(p => p.Frame!))
        {
            foreach (var (at, data) in held[group.Key].Cut(group))
            {
                data.Span.CopyTo(bytes[(int)(at - offset)..]);
            }
        }
    }
}

/// <summary>
/// Reads a point in parts as large as a RADOS object usually is, for whoever compares it with an image. Memory: the frames of a batch, and those that were
/// used last.
/// </summary>
internal sealed class PointParts(PointRepository repository, IReadOnlyList<Manifest> chain, int parallel) : IDisposable
{
    /// <summary>The bytes of a part.</summary>
    public const int PartBytes = 4 << 20;

    private const int HeldFrames = 64;

    private readonly FrameSource _frames = new(repository);
    private readonly ChainReader _reader = new(repository, chain);
    private readonly Dictionary<FrameName, DecodedFrame> _held = [];

    /// <summary>How many parts an image of a size has.</summary>
    public static long CountOf(long size) => (size + PartBytes - 1) / PartBytes;

    /// <inheritdoc/>
    public void Dispose() => _held.Values.ToList().ForEach(f => f.Dispose());

    /// <summary>Parts, some at a time.</summary>
    /// <param name="numbers">Which ones, ascending.</param>
    /// <param name="size">The image's size, in bytes: the point's, or more where zeros are wanted behind it.</param>
    /// <param name="cancel">Ends the reading.</param>
    /// <exception cref="RbdBackupException">Corrupt; NotFound: the point was removed meanwhile.</exception>
    public async IAsyncEnumerable<IReadOnlyList<PointPart>> ReadAsync(
        IEnumerable<long> numbers, long size, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var batch in numbers.Chunk(parallel))
        {
            var ranges = batch.Select(n => (Offset: n * PartBytes, Length: (int)Math.Min(PartBytes, size - (n * PartBytes)))).ToList();
            var pieces = await PiecesAsync(ranges, cancel);
            while (await TryHoldAsync(pieces, cancel) is { } gone)
            {
                await _reader.ReadAgainAsync(ranges[0].Offset, ranges[0].Offset, gone, cancel);
                pieces = await PiecesAsync(ranges, cancel);
            }

            yield return [.. ranges.Zip(pieces, (r, p) => new PointPart(r.Offset, r.Length, p, _held))];
        }
    }

    private async Task<List<IReadOnlyList<Piece>>> PiecesAsync(List<(long Offset, int Length)> ranges, CancellationToken cancel)
    {
        var pieces = new List<IReadOnlyList<Piece>>();
        foreach (var (offset, length) in ranges)
        {
            pieces.Add(offset < _reader.Size ? await _reader.ReadAsync(offset, offset + length, cancel) : []);
        }

        return pieces;
    }

    /// <summary>Fetches the frames that are not held yet; those that are not needed now go, past a number. The failure where one is gone.</summary>
    private async Task<RbdBackupException?> TryHoldAsync(IEnumerable<IReadOnlyList<Piece>> pieces, CancellationToken cancel)
    {
        var needed = pieces.SelectMany(p => p).Select(p => p.Frame).OfType<FrameName>().ToHashSet();
        foreach (var unneeded in _held.Keys.Except(needed).Take(Math.Max(0, _held.Count + needed.Count - HeldFrames)).ToList())
        {
            _held.Remove(unneeded, out var dropped);
            dropped!.Dispose();
        }

        RbdBackupException? gone = null;
        var options = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancel };
        await Parallel.ForEachAsync(needed.Where(n => !_held.ContainsKey(n)).ToList(), options, async (name, ct) =>
        {
            try
            {
                var frame = await _frames.FetchAsync(name, ct);
                lock (_held)
                {
                    _held.Add(name, frame);
                }
            }
            catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
            {
                gone = e;
            }
        });
        return gone;
    }
}
