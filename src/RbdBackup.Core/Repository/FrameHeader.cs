using System.Buffers;
using System.Buffers.Binary;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>
/// What stands before each frame, in a zstd skippable frame: which frame it is, which extents it covers and the hash of what librbd gave for them.
/// So a frame that was fetched alone proves itself, and one that was put in another's place is found.
/// </summary>
/// <param name="Point">The point that the frame was written for.</param>
/// <param name="Segment">The segment's number.</param>
/// <param name="Number">The frame's number in the segment.</param>
/// <param name="PlainLength">The length of its records, in bytes.</param>
/// <param name="StoredLength">The length of the zstd frame that follows, in bytes.</param>
/// <param name="End">True where the stream's end record closes it.</param>
/// <param name="Extents">What it covers, in ascending order.</param>
public sealed record FrameHeader(PointId Point, int Segment, int Number, int PlainLength, int StoredLength, bool End, IReadOnlyList<Extent> Extents)
{
    /// <summary>The magic word of zstd's skippable frames that we use here.</summary>
    public const uint SkippableMagic = 0x184D2A5D;

    private const int Fixed = 40;
    private const int MaxHash = 32;
    private const int MaxExtentBytes = CutParameters.FrameExtents * 20;

    /// <summary>The most that a header takes with its magic word and size.</summary>
    public const int MaxLength = 8 + Fixed + MaxExtentBytes + MaxHash;

    /// <summary>The header's version, which says how the frame is hashed.</summary>
    public byte Version { get; init; } = FrameHash.HeaderVersion;

    /// <summary>Writes the header without its hash; the caller hashes those bytes and the data, and puts the hash behind.</summary>
    public void WriteUnhashed(IBufferWriter<byte> output)
    {
        var extents = new ArrayBufferWriter<byte>();
        Varint.WriteExtents(extents, Extents);
        var span = output.GetSpan(8 + Fixed + extents.WrittenCount);
        BinaryPrimitives.WriteUInt32LittleEndian(span, SkippableMagic);
        BinaryPrimitives.WriteInt32LittleEndian(span[4..], Fixed + extents.WrittenCount + FrameHash.Length(Version));
        var f = span[8..];
        f[..4].Clear();
        f[0] = Version;
        f[1] = End ? (byte)1 : (byte)0;
        Point.Value.TryWriteBytes(f[4..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt32LittleEndian(f[20..], Segment);
        BinaryPrimitives.WriteInt32LittleEndian(f[24..], Number);
        BinaryPrimitives.WriteInt32LittleEndian(f[28..], PlainLength);
        BinaryPrimitives.WriteInt32LittleEndian(f[32..], StoredLength);
        BinaryPrimitives.WriteInt32LittleEndian(f[36..], Extents.Count);
        extents.WrittenSpan.CopyTo(f[Fixed..]);
        output.Advance(8 + Fixed + extents.WrittenCount);
    }

    /// <summary>Reads a header at the start of <paramref name="stored"/>.</summary>
    /// <returns>The header, the bytes that its hash covers, the hash, and the length of all of it; null where the bytes are none.</returns>
    public static FrameHeader? TryRead(ReadOnlySpan<byte> stored, out ReadOnlySpan<byte> hashed, out ReadOnlySpan<byte> hash, out int length)
    {
        hashed = hash = default;
        length = 0;
        if (stored.Length < 8 + Fixed || BinaryPrimitives.ReadUInt32LittleEndian(stored) != SkippableMagic)
        {
            return null;
        }

        var size = BinaryPrimitives.ReadInt32LittleEndian(stored[4..]);
        var hashLength = FrameHash.Length(stored[8]);
        if (hashLength == 0 || size < Fixed + hashLength || size > Math.Min(stored.Length, MaxLength) - 8)
        {
            return null;
        }

        var f = stored.Slice(8, size);
        var count = BinaryPrimitives.ReadInt32LittleEndian(f[36..]);
        var varints = f[Fixed..^hashLength];
        var extents = new List<Extent>();
        if (count is < 0 or > CutParameters.FrameExtents || !Varint.TryReadExtents(ref varints, count, extents) || !varints.IsEmpty)
        {
            return null;
        }

        hashed = stored[..(8 + size - hashLength)];
        hash = f[^hashLength..];
        length = 8 + size;
        return new FrameHeader(
            new PointId(new Guid(f.Slice(4, 16), bigEndian: true)),
            BinaryPrimitives.ReadInt32LittleEndian(f[20..]), BinaryPrimitives.ReadInt32LittleEndian(f[24..]),
            BinaryPrimitives.ReadInt32LittleEndian(f[28..]), BinaryPrimitives.ReadInt32LittleEndian(f[32..]), f[1] == 1, extents)
        { Version = f[0] };
    }
}
