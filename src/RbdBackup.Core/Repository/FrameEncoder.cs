using System.Buffers;
using RbdBackup.Core.Diff;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>What the first frame of a stream says before its records.</summary>
/// <param name="FromSnap">The base's snapshot name in the stream; null for a full.</param>
/// <param name="ToSnap">The point's snapshot name in the stream.</param>
/// <param name="Size">The image's size, in bytes.</param>
public sealed record StreamHead(string? FromSnap, string ToSnap, long Size)
{
    /// <summary>The name that a point's snapshot has in streams, whatever it is called in the cluster.</summary>
    public static string SnapshotName(PointId point) => $"rbdbackup.{point}";
}

/// <summary>A frame as it is stored: header and zstd frame. It may name the data that it was made of; dispose it before that goes.</summary>
/// <param name="bytes">The stored bytes, which may name pieces of <paramref name="records"/>.</param>
/// <param name="records">The records.</param>
/// <param name="dataBytes">The bytes in its <c>w</c> records.</param>
/// <param name="zeroBytes">The bytes in its <c>z</c> records.</param>
public sealed class StoredFrame(PieceList bytes, PieceList records, long dataBytes, long zeroBytes) : IDisposable
{
    /// <summary>The stored bytes.</summary>
    public PieceList Bytes => bytes;

    /// <summary>How many bytes are stored.</summary>
    public int Length { get; } = checked((int)bytes.Length);

    /// <summary>The bytes in its <c>w</c> records.</summary>
    public long DataBytes => dataBytes;

    /// <summary>The bytes in its <c>z</c> records.</summary>
    public long ZeroBytes => zeroBytes;

    /// <inheritdoc/>
    public void Dispose()
    {
        bytes.Dispose();
        records.Dispose();
    }
}

/// <summary>Makes a frame of what librbd gave: hash, zero runs, records, compression. May be used by many threads.</summary>
public sealed class FrameEncoder(IFrameCodec codec, PointId point, CutParameters cut)
{
    /// <summary>Encodes one frame.</summary>
    /// <param name="segment">The segment's number.</param>
    /// <param name="frame">The frame's plan.</param>
    /// <param name="data">The bytes of its existing extents, one behind the other; unchanged until the frame is disposed.</param>
    /// <param name="head">What to write first; null in all frames but a stream's first.</param>
    /// <param name="end">True in a stream's last frame.</param>
    public StoredFrame Encode(int segment, FramePlan frame, ReadOnlyMemory<byte> data, StreamHead? head, bool end)
    {
        var preamble = Preamble(head);
        var records = new PieceList();
        records.Write(preamble);
        var (dataBytes, zeroBytes) = WriteRecords(records, frame, data, end);
        using var compressed = new PieceList();
        codec.Compress(records, compressed);

        var header = new ArrayBufferWriter<byte>();
        new FrameHeader(point, segment, frame.Number, (int)records.Length, (int)compressed.Length, end, frame.Extents).WriteUnhashed(header);
        var stored = new PieceList();
        stored.Write(header.WrittenSpan);
        Hash(header.WrittenSpan, preamble, data.Span, stored);
        stored.Take(compressed);
        return new StoredFrame(stored, records, dataBytes, zeroBytes);
    }

    private static ReadOnlySpan<byte> Preamble(StreamHead? head)
    {
        if (head is null)
        {
            return [];
        }

        var preamble = new ArrayBufferWriter<byte>();
        var writer = new DiffWriter(preamble, DiffFormat.V1);
        writer.Header();
        if (head.FromSnap is not null)
        {
            writer.FromSnap(head.FromSnap);
        }

        writer.ToSnap(head.ToSnap);
        writer.Size(head.Size);
        return preamble.WrittenSpan;
    }

    private (long Data, long Zero) WriteRecords(PieceList records, FramePlan frame, ReadOnlyMemory<byte> data, bool end)
    {
        var writer = new DiffWriter(records, DiffFormat.V1);
        var (dataBytes, zeroBytes) = (0L, 0L);
        foreach (var extent in frame.Extents)
        {
            if (!extent.Exists)
            {
                writer.Zero(extent.Offset, extent.Length);
                zeroBytes += extent.Length;
                continue;
            }

            var bytes = data[..(int)extent.Length];
            data = data[bytes.Length..];
            foreach (var run in ZeroRuns.Enumerate(bytes.Span, extent.Offset, cut.ZeroRunMin))
            {
                if (run.IsZero)
                {
                    writer.Zero(extent.Offset + run.Start, run.Length);
                    zeroBytes += run.Length;
                }
                else
                {
                    writer.DataHeader(extent.Offset + run.Start, run.Length);
                    records.Append(bytes.Slice(run.Start, run.Length));
                    dataBytes += run.Length;
                }
            }
        }

        if (end)
        {
            writer.End();
        }

        return (dataBytes, zeroBytes);
    }

    private static void Hash(ReadOnlySpan<byte> header, ReadOnlySpan<byte> preamble, ReadOnlySpan<byte> data, PieceList output)
    {
        using var hash = new FrameHash(FrameHash.HeaderVersion);
        hash.Append(header);
        hash.Append(preamble);
        hash.Append(data);
        var length = FrameHash.Length(FrameHash.HeaderVersion);
        hash.Finish(output.GetSpan(length)[..length]);
        output.Advance(length);
    }
}
