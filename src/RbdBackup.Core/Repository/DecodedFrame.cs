using System.Buffers;
using RbdBackup.Core.Diff;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>A range of an image, and where its bytes are in a frame's records.</summary>
/// <param name="Offset">Where it starts in the image, in bytes.</param>
/// <param name="Length">How long it is, in bytes.</param>
/// <param name="Start">Where its bytes start in the records; -1 for zeros.</param>
public readonly record struct FrameRun(long Offset, long Length, int Start)
{
    /// <summary>True where it reads as zeros.</summary>
    public bool IsZero => Start < 0;

    /// <summary>The first byte behind it.</summary>
    public long End => Offset + Length;
}

/// <summary>A frame that was fetched, decompressed and proven. Dispose gives its memory back.</summary>
public sealed class DecodedFrame : IDisposable
{
    private readonly byte[] _plain;

    private readonly string _key;

    private DecodedFrame(FrameHeader header, byte[] plain, IReadOnlyList<FrameRun> runs, string key) =>
        (Header, _plain, Runs, _key) = (header, plain, runs, key);

    /// <summary>Which frame it is.</summary>
    public FrameHeader Header { get; }

    /// <summary>What it holds, in ascending order.</summary>
    public IReadOnlyList<FrameRun> Runs { get; }

    /// <summary>Its records, a piece of an <c>rbd diff v1</c> stream.</summary>
    public ReadOnlyMemory<byte> Records => _plain.AsMemory(0, Header.PlainLength);

    /// <inheritdoc/>
    public void Dispose() => ArrayPool<byte>.Shared.Return(_plain);

    /// <summary>The data in this frame that pieces of an image show, ascending; zeros among it are left out.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>: the frame lacks a part of a piece: it is not the one that the index means.</exception>
    public IEnumerable<(long Offset, ReadOnlyMemory<byte> Data)> Cut(IEnumerable<Piece> pieces) =>
        Show(pieces).Where(s => !s.Run.IsZero).Select(s => (s.Run.Offset, s.Data));

    /// <summary>All that this frame holds of pieces of an image, ascending: data with its bytes, and zeros without.</summary>
    /// <exception cref="RbdBackupException">As of <see cref="Cut"/>.</exception>
    public IEnumerable<(FrameRun Run, ReadOnlyMemory<byte> Data)> Show(IEnumerable<Piece> pieces)
    {
        var next = 0;
        foreach (var piece in pieces)
        {
            // A run may reach beyond the piece, into what a newer point shows.
            var covered = piece.Offset;
            for (; next < Runs.Count && Runs[next].Offset < piece.End; next++)
            {
                var run = Runs[next];
                var (from, to) = (Math.Max(run.Offset, piece.Offset), Math.Min(run.End, piece.End));
                covered = from == covered && from < to ? to : covered;
                if (from < to)
                {
                    var shown = new FrameRun(from, to - from, run.IsZero ? -1 : run.Start + (int)(from - run.Offset));
                    yield return (shown, run.IsZero ? default : _plain.AsMemory(shown.Start, (int)shown.Length));
                }

                if (run.End > piece.End)
                {
                    break;
                }
            }

            if (covered != piece.End)
            {
                throw RepositoryFormat.Corrupt(_key, $"has a frame (number {Header.Number}) without what its index says: bytes {covered} to {piece.End} of the image");
            }
        }
    }

    /// <summary>Reads a stored frame and proves it.</summary>
    /// <param name="stored">Its header and zstd frame, exactly.</param>
    /// <param name="codec">Any codec: each reads each other's frames.</param>
    /// <param name="key">The segment, for errors.</param>
    /// <param name="point">The point that it must belong to.</param>
    /// <param name="segment">The segment that it must belong to.</param>
    /// <param name="maxPlain">The longest records to accept, in bytes.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>.</exception>
    public static DecodedFrame Decode(ReadOnlySpan<byte> stored, IFrameCodec codec, string key, PointId point, int segment, int maxPlain)
    {
        var header = FrameHeader.TryRead(stored, out var hashed, out var hash, out var length);
        if (header is null || header.Point != point || header.Segment != segment || header.PlainLength is <= 0 || header.PlainLength > maxPlain
            || header.StoredLength != stored.Length - length)
        {
            throw RepositoryFormat.Corrupt(key, "has a frame with a damaged header, or one of another place");
        }

        var plain = ArrayPool<byte>.Shared.Rent(header.PlainLength);
        try
        {
            codec.Decompress(stored[length..], plain.AsSpan(0, header.PlainLength));
            var (runs, ended) = ReadRuns(plain.AsSpan(0, header.PlainLength));
            return ended == header.End && Proven(header, hashed, hash, plain, runs)
                ? new DecodedFrame(header, plain, runs, key)
                : throw RepositoryFormat.Corrupt(key, $"has a frame (number {header.Number}) whose bytes do not match their hash");
        }
        catch (RbdBackupException e)
        {
            ArrayPool<byte>.Shared.Return(plain);
            throw e.Message.StartsWith(key, StringComparison.Ordinal) ? e : RepositoryFormat.Corrupt(key, $"has a damaged frame (number {header.Number}): {e.Message}", e);
        }
    }

    private static (List<FrameRun> Runs, bool Ended) ReadRuns(ReadOnlySpan<byte> plain)
    {
        var runs = new List<FrameRun>();
        var ended = false;
        var reader = new DiffSpanReader(plain, DiffFormat.V1);
        while (reader.TryRead(out var record))
        {
            ended = record.Tag == DiffTag.End;
            if (record.Tag == DiffTag.Zero)
            {
                runs.Add(new FrameRun(record.Offset, record.Length, -1));
            }
            else if (record.Tag == DiffTag.Data)
            {
                plain.Overlaps(record.Data, out var start);
                runs.Add(new FrameRun(record.Offset, record.Length, start));
            }
        }

        return (runs, ended);
    }

    /// <summary>
    /// The runs must tile the extents exactly, and header, what stands before the first run and the bytes of the existing extents must give the hash.
    /// </summary>
    private static bool Proven(FrameHeader header, ReadOnlySpan<byte> hashed, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> plain, List<FrameRun> runs)
    {
        using var actual = new FrameHash(header.Version);
        actual.Append(hashed);
        var recordBytes = runs.Sum(r => DiffWriter.DataHeaderLength(DiffFormat.V1) + (r.IsZero ? 0 : r.Length)) + (header.End ? 1 : 0);
        actual.Append(plain[..(int)Math.Max(0, header.PlainLength - recordBytes)]);
        var next = 0;
        foreach (var extent in header.Extents)
        {
            for (var at = extent.Offset; at < extent.End; at = runs[next++].End)
            {
                if (next == runs.Count || runs[next].Offset != at || runs[next].End > extent.End || (!extent.Exists && !runs[next].IsZero))
                {
                    return false;
                }

                if (extent.Exists)
                {
                    Append(actual, plain, runs[next]);
                }
            }
        }

        Span<byte> found = stackalloc byte[hash.Length];
        actual.Finish(found);
        return next == runs.Count && found.SequenceEqual(hash);
    }

    private static void Append(FrameHash hash, ReadOnlySpan<byte> plain, FrameRun run)
    {
        if (!run.IsZero)
        {
            hash.Append(plain.Slice(run.Start, (int)run.Length));
            return;
        }

        ReadOnlySpan<byte> zeros = Zeros;
        for (var rest = run.Length; rest > 0; rest -= Math.Min(rest, zeros.Length))
        {
            hash.Append(zeros[..(int)Math.Min(rest, zeros.Length)]);
        }
    }

    private static readonly byte[] Zeros = new byte[64 << 10];
}
