using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace RbdBackup.Core.Sealing;

/// <summary>
/// The form of a sealed object that is not a segment: blocks of 16 KiB, each with a head (kind, generation of the master key), a random nonce and a tag, so
/// that any range is read and proven alone. Each block is bound to its place and to the object's length, and by the key to the object's name.
/// </summary>
internal static class SealedBlocks
{
    /// <summary>The plain bytes in all blocks but the last.</summary>
    public const int PlainBytes = 16 << 10;

    /// <summary>How much longer a block becomes.</summary>
    public const int Overhead = HeadBytes + Aead.NonceBytes + Aead.TagBytes;

    /// <summary>A whole block.</summary>
    public const int StoredBytes = PlainBytes + Overhead;

    /// <summary>The highest generation that a head can name.</summary>
    public const int MaxGeneration = ushort.MaxValue;

    private const int HeadBytes = 4;
    private const ushort MasterKind = 1;

    /// <summary>The key that an object is sealed with.</summary>
    public static byte[] KeyOf(byte[] master, Guid repository, string key) =>
        Aead.Derive(master, Aead.Field(repository), Aead.Bind("rbdbackup object", Encoding.UTF8.GetBytes(key)));

    /// <summary>How long an object is when it is sealed.</summary>
    public static long StoredLength(long plain) => plain + (Overhead * Math.Max(1, (plain + PlainBytes - 1) / PlainBytes));

    /// <summary>How long it was; null where nothing that was sealed has that length.</summary>
    public static long? PlainLength(long stored)
    {
        var (blocks, rest) = Math.DivRem(stored, StoredBytes);
        return rest == 0 && blocks > 0 ? blocks * PlainBytes
            : rest > Overhead || (rest == Overhead && blocks == 0) ? (blocks * PlainBytes) + rest - Overhead
            : null;
    }

    /// <summary>Seals an object.</summary>
    public static byte[] Seal(AesGcm gcm, int generation, ReadOnlySequence<byte> plain)
    {
        var stored = new byte[StoredLength(plain.Length)];
        var rest = stored.AsSpan();
        for (var number = 0L; rest.Length > 0; number++)
        {
            var length = (int)Math.Min(PlainBytes, plain.Length - (number * PlainBytes));
            var nonce = rest.Slice(HeadBytes, Aead.NonceBytes);
            var content = rest.Slice(HeadBytes + Aead.NonceBytes, length);
            BinaryPrimitives.WriteUInt16BigEndian(rest, MasterKind);
            BinaryPrimitives.WriteUInt16BigEndian(rest[2..], (ushort)generation);
            RandomNumberGenerator.Fill(nonce);
            plain.Slice(number * PlainBytes, length).CopyTo(content);
            gcm.Encrypt(nonce, content, content, rest.Slice(length + Overhead - Aead.TagBytes, Aead.TagBytes), Bound(rest[..HeadBytes], number, plain.Length));
            rest = rest[(length + Overhead)..];
        }

        return stored;
    }

    /// <summary>The generation that a block's head names; null where it is none of these blocks.</summary>
    public static int? GenerationOf(ReadOnlySpan<byte> block) =>
        block.Length >= Overhead && BinaryPrimitives.ReadUInt16BigEndian(block) == MasterKind ? BinaryPrimitives.ReadUInt16BigEndian(block[2..]) : null;

    /// <summary>Opens consecutive blocks; null where any is not what was sealed there.</summary>
    public static byte[]? TryOpen(AesGcm gcm, int generation, long first, long length, ReadOnlySpan<byte> stored)
    {
        var plain = new byte[stored.Length - (Overhead * ((stored.Length + StoredBytes - 1) / StoredBytes))];
        var rest = plain.AsSpan();
        for (var number = first; stored.Length > 0; number++)
        {
            var block = stored[..Math.Min(StoredBytes, stored.Length)];
            var count = block.Length - Overhead;
            if (GenerationOf(block) != generation || !Aead.TryOpen(
                gcm, block.Slice(HeadBytes, Aead.NonceBytes), block.Slice(HeadBytes + Aead.NonceBytes, count), block[^Aead.TagBytes..], rest[..count],
                Bound(block[..HeadBytes], number, length)))
            {
                return null;
            }

            rest = rest[count..];
            stored = stored[block.Length..];
        }

        return plain;
    }

    private static byte[] Bound(ReadOnlySpan<byte> head, long number, long length) =>
        Aead.Bind("rbdbackup block", head.ToArray(), Aead.Field(number), Aead.Field(length));
}
