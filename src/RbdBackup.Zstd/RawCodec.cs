using System.Buffers.Binary;

namespace RbdBackup.Zstd;

/// <summary>
/// Compresses nothing: puts the bytes into raw blocks of a zstd frame, so that a repository without compression is still read by <c>zstd -d</c>. Costs a copy and the checksum.
/// </summary>
public sealed class RawCodec : FrameCodec
{
    /// <summary>The most that the format allows in a block.</summary>
    private const int MaxBlock = 128 * 1024;

    private const int BlockHeader = 3;
    private const int ChecksumLength = 4;

    /// <summary>The magic number, a descriptor (plain length in 8 bytes, single segment, checksum), the plain length.</summary>
    private const int FrameHeader = 4 + 1 + 8;

    private const byte Descriptor = 0b1110_0100;

    /// <inheritdoc/>
    public override string Name => "none";

    /// <inheritdoc/>
    public override int MaxCompressedLength(int length) =>
        checked(FrameHeader + length + (BlockHeader * Math.Max(1, (length + MaxBlock - 1) / MaxBlock)) + ChecksumLength);

    /// <inheritdoc/>
    public override int Compress(ReadOnlySpan<byte> plain, Span<byte> frame)
    {
        var length = MaxCompressedLength(plain.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(frame.Length, length, nameof(frame));
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Magic);
        frame[4] = Descriptor;
        BinaryPrimitives.WriteInt64LittleEndian(frame[5..], plain.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[(length - ChecksumLength)..], (uint)XxHash64.Hash(plain));

        for (var to = frame[FrameHeader..]; ;)
        {
            var block = Math.Min(plain.Length, MaxBlock);
            WriteBlockHeader(to, block, last: block == plain.Length);
            plain[..block].CopyTo(to[BlockHeader..]);
            if (block == plain.Length)
            {
                return length;
            }

            plain = plain[block..];
            to = to[(BlockHeader + block)..];
        }
    }

    /// <summary>Three bytes: bit 0 marks the last block, bits 1 and 2 are 0 for a raw one, the rest is its length.</summary>
    private static void WriteBlockHeader(Span<byte> to, int length, bool last)
    {
        to[2] = (byte)(length >> 13);
        BinaryPrimitives.WriteUInt16LittleEndian(to, (ushort)((length << 3) | (last ? 1 : 0)));
    }
}
