using System.Buffers;
using System.Security.Cryptography;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>A compressed page in an index or a plan.</summary>
/// <param name="Start">The first byte of the image that it tells about.</param>
/// <param name="End">The byte behind the last one that it tells about.</param>
/// <param name="Count">How many entries it holds.</param>
/// <param name="Offset">Where its zstd frame starts in the object.</param>
/// <param name="Length">How long that frame is, in bytes.</param>
/// <param name="PlainLength">How long it is decompressed, in bytes.</param>
/// <param name="Sha256">The SHA-256 of the decompressed bytes, in hexadecimal.</param>
public sealed record Page(long Start, long End, int Count, long Offset, int Length, int PlainLength, string Sha256);

/// <summary>Writes and reads pages.</summary>
public static class Pages
{
    /// <summary>The entries of a page, at most.</summary>
    public const int MaxEntries = 4096;

    private const int MaxPlain = MaxEntries * 64;

    /// <summary>Appends a page to <paramref name="output"/>, which stands at <paramref name="offset"/> of the object.</summary>
    public static Page Append(IBufferWriter<byte> output, long offset, ReadOnlySpan<byte> plain, int count, long start, long end, IFrameCodec codec)
    {
        var length = codec.Compress(plain, output.GetSpan(codec.MaxCompressedLength(plain.Length)));
        output.Advance(length);
        return new Page(start, end, count, offset, length, plain.Length, Convert.ToHexStringLower(SHA256.HashData(plain)));
    }

    /// <summary>Fetches a page.</summary>
    /// <exception cref="RbdBackupException">NotFound; Corrupt.</exception>
    public static async Task<byte[]> ReadAsync(IObjectStore store, string key, Page page, IFrameCodec codec, CancellationToken cancel)
    {
        if (page.Length is <= 0 or > 2 * MaxPlain || page.PlainLength is <= 0 or > MaxPlain || page.Count is <= 0 or > MaxEntries || page.Offset < 0)
        {
            throw RepositoryFormat.Corrupt(key, "has a page of impossible size");
        }

        var frame = new byte[page.Length];
        await store.GetRangeAsync(key, page.Offset, frame, cancel);
        var plain = new byte[page.PlainLength];
        try
        {
            codec.Decompress(frame, plain);
        }
        catch (RbdBackupException e)
        {
            throw RepositoryFormat.Corrupt(key, $"has a damaged page at byte {page.Offset}: {e.Message}", e);
        }

        return Convert.ToHexStringLower(SHA256.HashData(plain)) == page.Sha256
            ? plain
            : throw RepositoryFormat.Corrupt(key, $"has a damaged page at byte {page.Offset}");
    }
}
