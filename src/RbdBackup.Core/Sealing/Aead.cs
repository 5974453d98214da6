using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Sealing;

/// <summary>The only cryptography that sealing uses (docs/FORMAT.md, "Sealed repositories"): AES-256-GCM with tags of 16 bytes, and HKDF-SHA256.</summary>
internal static class Aead
{
    /// <summary>The bytes of every key.</summary>
    public const int KeyBytes = 32;

    /// <summary>The bytes of a nonce.</summary>
    public const int NonceBytes = 12;

    /// <summary>The bytes of a tag.</summary>
    public const int TagBytes = 16;

    /// <summary>The bytes of a wrapped key: nonce, ciphertext, tag.</summary>
    public const int WrappedBytes = NonceBytes + KeyBytes + TagBytes;

    /// <summary>A new key.</summary>
    public static byte[] NewKey() => RandomNumberGenerator.GetBytes(KeyBytes);

    /// <summary>A key of another one for one purpose.</summary>
    public static byte[] Derive(byte[] key, byte[] salt, byte[] info) => HKDF.DeriveKey(HashAlgorithmName.SHA256, key, KeyBytes, salt, info);

    /// <summary>A label and the fields that something is bound to, one behind the other. Each label has fields of fixed lengths, but for the last one.</summary>
    public static byte[] Bind(string label, params ReadOnlySpan<byte[]> fields)
    {
        List<byte> bound = [.. Encoding.ASCII.GetBytes(label)];
        foreach (var field in fields)
        {
            bound.AddRange(field);
        }

        return [.. bound];
    }

    /// <summary>A UUID as a field: its bytes in the order in which they are written.</summary>
    public static byte[] Field(Guid id) => id.ToByteArray(bigEndian: true);

    /// <summary>A point as a field.</summary>
    public static byte[] Field(PointId point) => Field(point.Value);

    /// <summary>An attempt as a field: 8 bytes.</summary>
    public static byte[] Field(AttemptId attempt) => Convert.FromHexString(attempt.Value);

    /// <summary>A number as a field: 4 bytes, big-endian.</summary>
    public static byte[] Field(uint number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return bytes;
    }

    /// <summary>An offset as a field: 8 bytes, big-endian.</summary>
    public static byte[] Field(long offset)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, offset);
        return bytes;
    }

    /// <summary>A key under another one.</summary>
    public static byte[] Wrap(byte[] under, byte[] key, byte[] bound)
    {
        var wrapped = new byte[WrappedBytes];
        RandomNumberGenerator.Fill(wrapped.AsSpan(0, NonceBytes));
        using var gcm = new AesGcm(under, TagBytes);
        gcm.Encrypt(wrapped.AsSpan(0, NonceBytes), key, wrapped.AsSpan(NonceBytes, KeyBytes), wrapped.AsSpan(NonceBytes + KeyBytes), bound);
        return wrapped;
    }

    /// <summary>The key that was wrapped; null where the wrap, the key above or what it is bound to is another one.</summary>
    public static byte[]? TryUnwrap(byte[] under, ReadOnlySpan<byte> wrapped, byte[] bound)
    {
        if (wrapped.Length != WrappedBytes)
        {
            return null;
        }

        var key = new byte[KeyBytes];
        using var gcm = new AesGcm(under, TagBytes);
        return TryOpen(gcm, wrapped[..NonceBytes], wrapped.Slice(NonceBytes, KeyBytes), wrapped[(NonceBytes + KeyBytes)..], key, bound) ? key : null;
    }

    /// <summary>Opens; false where any of it is not what was sealed. <paramref name="plain"/> may be the memory of <paramref name="sealed"/>.</summary>
    public static bool TryOpen(
        AesGcm gcm, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> @sealed, ReadOnlySpan<byte> tag, Span<byte> plain, ReadOnlySpan<byte> bound)
    {
        try
        {
            gcm.Decrypt(nonce, @sealed, tag, plain, bound);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }
}
