using System.Buffers;
using System.Security.Cryptography;
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

/// <summary>A frame as it is stored: header and zstd frame. Dispose gives its memory back.</summary>
/// <param name="Buffer">Rented memory.</param>
/// <param name="Length">How much of it is used.</param>
/// <param name="DataBytes">The bytes in its <c>w</c> records.</param>
/// <param name="ZeroBytes">The bytes in its <c>z</c> records.</param>
public sealed record StoredFrame(byte[] Buffer, int Length, long DataBytes, long ZeroBytes) : IDisposable
{
    /// <summary>The stored bytes.</summary>
    public ReadOnlyMemory<byte> Bytes => Buffer.AsMemory(0, Length);

    /// <inheritdoc/>
    public void Dispose() => ArrayPool<byte>.Shared.Return(Buffer);
}

/// <summary>Makes a frame of what librbd gave: hash, zero runs, records, compression. May be used by many threads.</summary>
public sealed class FrameEncoder(IFrameCodec codec, PointId point, CutParameters cut)
{
    /// <summary>Encodes one frame.</summary>
    /// <param name="segment">The segment's number.</param>
    /// <param name="frame">The frame's plan.</param>
    /// <param name="data">The bytes of its existing extents, one behind the other.</param>
    /// <param name="head">What to write first; null in all frames but a stream's first.</param>
    /// <param name="end">True in a stream's last frame.</param>
    public StoredFrame Encode(int segment, FramePlan frame, ReadOnlySpan<byte> data, StreamHead? head, bool end)
    {
        using var records = new PooledBuffer(data.Length + 4096);
        var (preamble, dataBytes, zeroBytes) = WriteRecords(records, frame, data, head, end);

        // Compressed behind the room for the header, whose length is known beforehand but for the compressed length, which has a fixed width in it.
        var sizer = new ArrayBufferWriter<byte>();
        new FrameHeader(point, segment, frame.Number, records.Written.Length, 0, end, frame.Extents).WriteUnhashed(sizer);
        var headLength = sizer.WrittenCount + FrameHeader.HashLength;
        var buffer = ArrayPool<byte>.Shared.Rent(headLength + codec.MaxCompressedLength(records.Written.Length));
        var compressed = codec.Compress(records.Written, buffer.AsSpan(headLength));

        var header = new ArrayBufferWriter<byte>(headLength);
        new FrameHeader(point, segment, frame.Number, records.Written.Length, compressed, end, frame.Extents).WriteUnhashed(header);
        header.WrittenSpan.CopyTo(buffer);
        Hash(header.WrittenSpan, records.Written[..preamble], data, buffer.AsSpan(header.WrittenCount));
        return new StoredFrame(buffer, headLength + compressed, dataBytes, zeroBytes);
    }

    private (int Preamble, long Data, long Zero) WriteRecords(PooledBuffer records, FramePlan frame, ReadOnlySpan<byte> data, StreamHead? head, bool end)
    {
        var writer = new DiffWriter(records, DiffFormat.V1);
        if (head is not null)
        {
            writer.Header();
            if (head.FromSnap is not null)
            {
                writer.FromSnap(head.FromSnap);
            }

            writer.ToSnap(head.ToSnap);
            writer.Size(head.Size);
        }

        var (preamble, dataBytes, zeroBytes) = (records.Written.Length, 0L, 0L);
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
            foreach (var run in ZeroRuns.Enumerate(bytes, extent.Offset, cut.ZeroRunMin))
            {
                if (run.IsZero)
                {
                    writer.Zero(extent.Offset + run.Start, run.Length);
                    zeroBytes += run.Length;
                }
                else
                {
                    writer.Data(extent.Offset + run.Start, bytes.Slice(run.Start, run.Length));
                    dataBytes += run.Length;
                }
            }
        }

        if (end)
        {
            writer.End();
        }

        return (preamble, dataBytes, zeroBytes);
    }

    private static void Hash(ReadOnlySpan<byte> header, ReadOnlySpan<byte> preamble, ReadOnlySpan<byte> data, Span<byte> destination)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(header);
        hash.AppendData(preamble);
        hash.AppendData(data);
        hash.GetHashAndReset(destination);
    }
}
