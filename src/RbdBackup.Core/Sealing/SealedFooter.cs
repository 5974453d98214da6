using System.Buffers.Binary;
using System.Text.Json;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Sealing;

/// <summary>The end of a sealed segment: the footer's JSON, sealed as the last frame, then that frame's length and a magic word, to be read from the object's end.</summary>
internal static class SealedFooter
{
    private const int TrailerBytes = 4 + 8;
    private const int FirstRead = 64 << 10;

    private static ReadOnlySpan<byte> MagicWord => "RBDBKSEA"u8;

    /// <summary>The bytes of the end.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Write(SegmentSealer sealer, long offset, SegmentFooter footer)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(footer, RepositoryJson.Default.SegmentFooter);
        var stored = sealer.Seal(SealedFrame.Footer, offset, [json], json.Length);
        var trailer = new byte[TrailerBytes];
        BinaryPrimitives.WriteInt32LittleEndian(trailer, stored.Length);
        MagicWord.CopyTo(trailer.AsSpan(4));
        return [stored, trailer];
    }

    /// <summary>Reads a footer, and says where it starts.</summary>
    /// <exception cref="Model.RbdBackupException">NotFound; Corrupt: cut off, damaged, or not sealed there.</exception>
    public static async Task<(SegmentFooter Footer, long Start)> ReadAsync(
        IObjectStore store, RepositorySeal seal, FrameName segment, long objectLength, CancellationToken cancel)
    {
        var tail = await ReadTailAsync(store, segment.Key, objectLength, (int)Math.Min(objectLength, FirstRead), cancel);
        var length = SealedLength(tail, objectLength, segment.Key);
        if (length + TrailerBytes > tail.Length)
        {
            tail = await ReadTailAsync(store, segment.Key, objectLength, length + TrailerBytes, cancel);
        }

        var start = objectLength - TrailerBytes - length;
        var footer = tail.AsMemory(tail.Length - TrailerBytes - length, length);
        if (BinaryPrimitives.ReadUInt32BigEndian(footer.Span) != SealedFrame.Footer)
        {
            throw RepositoryFormat.Corrupt(segment.Key, "has a frame in the place of its footer");
        }

        var json = await seal.OpenFrameAsync(segment with { Offset = start, Length = length }, footer, cancel);
        return (RepositoryFormat.ReadJson(json.Span, RepositoryJson.Default.SegmentFooter, segment.Key), start);
    }

    private static async Task<byte[]> ReadTailAsync(IObjectStore store, string key, long objectLength, int length, CancellationToken cancel)
    {
        var tail = new byte[length];
        await store.GetRangeAsync(key, objectLength - length, tail, cancel);
        return tail;
    }

    private static int SealedLength(ReadOnlySpan<byte> tail, long objectLength, string key)
    {
        if (tail.Length < TrailerBytes || !tail[^8..].SequenceEqual(MagicWord))
        {
            throw RepositoryFormat.Corrupt(key, "has no sealed footer at its end: it was cut off, damaged, or never sealed");
        }

        var length = BinaryPrimitives.ReadInt32LittleEndian(tail[^TrailerBytes..]);
        return length >= SealedFrame.Overhead && length <= Math.Min(objectLength - TrailerBytes, RepositoryFormat.MaxJson)
            ? length
            : throw RepositoryFormat.Corrupt(key, $"claims a footer of {length} bytes");
    }
}
