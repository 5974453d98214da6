using System.Buffers.Binary;
using System.IO.Hashing;
using RbdBackup.Core.Model;

namespace RbdBackup.Zstd;

/// <summary>
/// Compresses nothing: puts the bytes into raw blocks of a zstd frame, so that a repository without compression is still read by <c>zstd -d</c>. Costs the checksum; what
/// comes in pieces is not even copied.
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
        WriteHeader(frame, plain.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[(length - ChecksumLength)..], Checksum(XxHash64.HashToUInt64(plain)));

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

    /// <inheritdoc/>
    public override void Compress(PieceList plain, PieceList frame)
    {
        WriteHeader(frame.GetSpan(FrameHeader), plain.Length);
        frame.Advance(FrameHeader);
        var checksum = new XxHash64();
        var (left, block) = (plain.Length, 0);
        if (left == 0)
        {
            Block(0);
        }

        foreach (var piece in plain.Pieces)
        {
            checksum.Append(piece.Span);
            for (var rest = piece; rest.Length > 0;)
            {
                if (block == 0)
                {
                    Block(block = (int)Math.Min(left, MaxBlock));
                }

                var take = Math.Min(rest.Length, block);
                frame.Append(rest[..take]);
                (rest, block, left) = (rest[take..], block - take, left - take);
            }
        }

        BinaryPrimitives.WriteUInt32LittleEndian(frame.GetSpan(ChecksumLength), Checksum(checksum.GetCurrentHashAsUInt64()));
        frame.Advance(ChecksumLength);

        void Block(int length)
        {
            WriteBlockHeader(frame.GetSpan(BlockHeader), length, last: length == left);
            frame.Advance(BlockHeader);
        }
    }

    // The format takes the lower half of the hash.
    private static uint Checksum(ulong hash) => (uint)hash;

    private static void WriteHeader(Span<byte> to, long plainLength)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(to, Magic);
        to[4] = Descriptor;
        BinaryPrimitives.WriteInt64LittleEndian(to[5..], plainLength);
    }

    /// <summary>Three bytes: bit 0 marks the last block, bits 1 and 2 are 0 for a raw one, the rest is its length.</summary>
    private static void WriteBlockHeader(Span<byte> to, int length, bool last)
    {
        to[2] = (byte)(length >> 13);
        BinaryPrimitives.WriteUInt16LittleEndian(to, (ushort)((length << 3) | (last ? 1 : 0)));
    }
}
