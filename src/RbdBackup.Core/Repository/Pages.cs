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

/// <summary>Writes and reads pages: the one place where a page's bytes become stored bytes, and stored bytes a page.</summary>
public static class Pages
{
    /// <summary>The entries of a page, at most.</summary>
    public const int MaxEntries = 4096;

    /// <summary>A page decompressed, at most, in bytes.</summary>
    public const int MaxPlain = 1 << 20;

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
        RequirePossible(key, page);
        var stored = new byte[page.Length];
        await store.GetRangeAsync(key, page.Offset, stored, cancel);
        return Open(key, page, stored, codec);
    }

    /// <summary>Refuses a page whose description would take memory that no page needs.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>.</exception>
    internal static void RequirePossible(string key, Page page)
    {
        if (page.Length is <= 0 or > 2 * MaxPlain || page.PlainLength is <= 0 or > MaxPlain || page.Count is <= 0 or > MaxEntries || page.Offset < 0)
        {
            throw RepositoryFormat.Corrupt(key, "has a page of impossible size");
        }
    }

    /// <summary>The content of a page that was fetched, proven.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>.</exception>
    internal static byte[] Open(string key, Page page, ReadOnlySpan<byte> stored, IFrameCodec codec)
    {
        var plain = new byte[page.PlainLength];
        try
        {
            codec.Decompress(stored, plain);
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

/// <summary>Reads small pages that lie near each other: a request fetches what follows too, and a few such windows are kept. Not for use by several at a time.</summary>
internal sealed class PageSource(IObjectStore store, IFrameCodec codec)
{
    private const int Ahead = 128 << 10;
    private const int Windows = 48;

    private readonly LinkedList<(string Key, long Start, byte[] Bytes)> _windows = [];

    /// <summary>The content of a page, proven.</summary>
    /// <param name="from">The object, and how far pages reach in it.</param>
    /// <param name="page">The page.</param>
    /// <param name="cancel">Ends the read.</param>
    /// <exception cref="RbdBackupException">NotFound; Corrupt.</exception>
    public async Task<byte[]> ReadAsync(IndexObject from, Page page, CancellationToken cancel)
    {
        Pages.RequirePossible(from.Key, page);
        if (page.Offset + page.Length > from.Length)
        {
            throw RepositoryFormat.Corrupt(from.Key, $"is said to have a page at byte {page.Offset}, behind its last one");
        }

        var (start, bytes) = await WindowAsync(from, page, cancel);
        return Pages.Open(from.Key, page, bytes.AsSpan((int)(page.Offset - start), page.Length), codec);
    }

    private async Task<(long Start, byte[] Bytes)> WindowAsync(IndexObject from, Page page, CancellationToken cancel)
    {
        for (var node = _windows.First; node is not null; node = node.Next)
        {
            var (key, start, known) = node.Value;
            if (key == from.Key && start <= page.Offset && page.Offset + page.Length <= start + known.Length)
            {
                _windows.Remove(node);
                _windows.AddFirst(node);
                return (start, known);
            }
        }

        var bytes = new byte[Math.Min(from.Length - page.Offset, Math.Max(page.Length, Ahead))];
        await store.GetRangeAsync(from.Key, page.Offset, bytes, cancel);
        _windows.AddFirst((from.Key, page.Offset, bytes));
        if (_windows.Count > Windows)
        {
            _windows.RemoveLast();
        }

        return (page.Offset, bytes);
    }
}
