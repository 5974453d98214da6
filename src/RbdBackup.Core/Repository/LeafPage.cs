using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>
/// A page of a merged index: entries within one leaf of the image, and the segments' writers that they name, so that another point's index can use it as it is.
/// </summary>
internal static class LeafPage
{
    private const int AttemptBytes = AttemptId.Length / 2;
    private const int SourceBytes = 16 + AttemptBytes;

    /// <summary>Appends a page with <paramref name="pieces"/>, at least one and at most <see cref="Pages.MaxEntries"/>.</summary>
    public static Page Append(ArrayBufferWriter<byte> output, ReadOnlySpan<Piece> pieces, IFrameCodec codec)
    {
        using var plain = new PooledBuffer(16 << 10);
        var sources = new Dictionary<(PointId, AttemptId), int>();
        foreach (var piece in pieces)
        {
            _ = piece.Frame is { } f && sources.TryAdd((f.Point, f.Attempt), sources.Count);
        }

        Varint.Write(plain, sources.Count);
        foreach (var (point, attempt) in sources.Keys)
        {
            var span = plain.GetSpan(SourceBytes);
            point.Value.TryWriteBytes(span, bigEndian: true, out _);
            Convert.FromHexString(attempt.Value, span[16..], out _, out _);
            plain.Advance(SourceBytes);
        }

        WriteEntries(plain, pieces, sources);
        return Pages.Append(output, output.WrittenCount, plain.Written, pieces.Length, pieces[0].Offset, pieces[^1].End, codec);
    }

    /// <summary>The entries of a page that was fetched.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>.</exception>
    public static List<Piece> Read(byte[] plain, Page page, string key)
    {
        var pieces = new List<Piece>(page.Count);
        ReadOnlySpan<byte> input = plain;
        return TryReadSources(ref input, out var sources) && TryReadEntries(input, page, sources, pieces)
            ? pieces
            : throw RepositoryFormat.Corrupt(key, $"has a page at byte {page.Offset} that is no part of a merged index");
    }

    // An entry: gap to the one before, length*4 + kind (0 zeros; 1 the frame named last; 2 another one: source, segment, offset, length follow; 3 the one
    // right behind the frame named last, in the same segment: its length follows).
    private static void WriteEntries(PooledBuffer output, ReadOnlySpan<Piece> pieces, Dictionary<(PointId, AttemptId), int> sources)
    {
        var from = pieces[0].Offset;
        FrameName? before = null;
        foreach (var piece in pieces)
        {
            var kind = piece.Frame is null ? 0L : piece.Frame == before ? 1L : Follows(piece.Frame, before) ? 3L : 2L;
            Varint.Write(output, piece.Offset - from);
            Varint.Write(output, (piece.Length << 2) | kind);
            from = piece.End;
            if (kind == 2)
            {
                Varint.Write(output, sources[(piece.Frame!.Point, piece.Frame.Attempt)]);
                Varint.Write(output, piece.Frame.Segment);
                Varint.Write(output, piece.Frame.Offset);
            }

            if (kind >= 2)
            {
                Varint.Write(output, piece.Frame!.Length);
            }

            before = piece.Frame ?? before;
        }
    }

    private static bool Follows(FrameName frame, FrameName? before) =>
        before is not null && frame == before with { Offset = before.Offset + before.Length, Length = frame.Length };

    private static bool TryReadSources(ref ReadOnlySpan<byte> input, out List<(PointId Point, AttemptId Attempt)> sources)
    {
        sources = [];
        if (!Varint.TryRead(ref input, out var count) || count > input.Length / SourceBytes)
        {
            return false;
        }

        for (; count > 0; count--, input = input[SourceBytes..])
        {
            sources.Add((new PointId(new Guid(input[..16], bigEndian: true)), new AttemptId(Convert.ToHexStringLower(input[16..SourceBytes]))));
        }

        return true;
    }

    private static bool TryReadEntries(ReadOnlySpan<byte> input, Page page, List<(PointId Point, AttemptId Attempt)> sources, List<Piece> pieces)
    {
        var from = page.Start;
        FrameName? frame = null;
        while (pieces.Count < page.Count)
        {
            if (!Varint.TryRead(ref input, out var gap) || !Varint.TryRead(ref input, out var packed) || packed < 4
                || gap > page.End - from || packed >> 2 > page.End - from - gap || !TryReadFrame(ref input, packed & 3, sources, ref frame))
            {
                return false;
            }

            pieces.Add(new Piece(from + gap, packed >> 2, (packed & 3) == 0 ? null : frame));
            from = pieces[^1].End;
        }

        return input.IsEmpty && from == page.End;
    }

    private static bool TryReadFrame(ref ReadOnlySpan<byte> input, long kind, List<(PointId Point, AttemptId Attempt)> sources, ref FrameName? frame)
    {
        if (kind < 2)
        {
            return kind == 0 || frame is not null;
        }

        long source = 0, segment = 0, offset = 0;
        var good = kind == 3 ? frame is not null : Varint.TryRead(ref input, out source) & Varint.TryRead(ref input, out segment) & Varint.TryRead(ref input, out offset);
        if (!good || !Varint.TryRead(ref input, out var length) || source >= sources.Count || segment > int.MaxValue || length is <= 0 or > int.MaxValue)
        {
            return false;
        }

        frame = kind == 3
            ? frame! with { Offset = frame!.Offset + frame.Length, Length = (int)length }
            : new FrameName(sources[(int)source].Point, sources[(int)source].Attempt, (int)segment, offset, (int)length);
        return true;
    }
}
