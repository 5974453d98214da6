using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json.Serialization.Metadata;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>
/// The end of segments, indexes and plans: a zstd skippable frame (which <c>zstd -d</c> passes over) that holds JSON, its SHA-256, its length and a
/// magic word, so that an object is read from its end without knowing anything of it.
/// </summary>
public static class TailDirectory
{
    /// <summary>The magic word of zstd's skippable frames that we use for directories.</summary>
    public const uint SkippableMagic = 0x184D2A5E;

    /// <summary>The bytes around the JSON: magic, size; digest, length, magic word.</summary>
    public const int Overhead = 4 + 4 + 32 + 4 + 8;

    private const int TrailerLength = 32 + 4 + 8;
    private const int FirstRead = 64 << 10;

    private static ReadOnlySpan<byte> MagicWord => "RBDBKDIR"u8;

    /// <summary>Appends a directory.</summary>
    public static void Write<T>(IBufferWriter<byte> output, T directory, JsonTypeInfo<T> type)
    {
        var json = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(directory, type);
        var span = output.GetSpan(json.Length + Overhead);
        BinaryPrimitives.WriteUInt32LittleEndian(span, SkippableMagic);
        BinaryPrimitives.WriteInt32LittleEndian(span[4..], json.Length + TrailerLength);
        json.CopyTo(span[8..]);
        var trailer = span[(8 + json.Length)..];
        SHA256.HashData(json, trailer);
        BinaryPrimitives.WriteInt32LittleEndian(trailer[32..], json.Length);
        MagicWord.CopyTo(trailer[36..]);
        output.Advance(json.Length + Overhead);
    }

    /// <summary>Reads the directory at an object's end, and says where it starts.</summary>
    /// <exception cref="Model.RbdBackupException">NotFound; Corrupt: cut off or damaged.</exception>
    public static async Task<(T Directory, long Start)> ReadAsync<T>(
        IObjectStore store, string key, long objectLength, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        var tail = new byte[(int)Math.Min(objectLength, FirstRead)];
        await store.GetRangeAsync(key, objectLength - tail.Length, tail, cancel);
        var length = JsonLength(tail, objectLength, key);
        if (length + Overhead > tail.Length)
        {
            tail = new byte[length + Overhead];
            await store.GetRangeAsync(key, objectLength - tail.Length, tail, cancel);
        }

        return (Parse(tail, type, key), objectLength - length - Overhead);
    }

    private static int JsonLength(ReadOnlySpan<byte> tail, long objectLength, string key)
    {
        if (tail.Length < Overhead || !tail[^8..].SequenceEqual(MagicWord))
        {
            throw RepositoryFormat.Corrupt(key, "has no directory at its end: it was cut off or damaged");
        }

        var length = BinaryPrimitives.ReadInt32LittleEndian(tail[^12..]);
        return length >= 0 && length <= Math.Min(objectLength - Overhead, RepositoryFormat.MaxJson)
            ? length
            : throw RepositoryFormat.Corrupt(key, $"claims a directory of {length} bytes");
    }

    private static T Parse<T>(ReadOnlySpan<byte> tail, JsonTypeInfo<T> type, string key)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(tail[^12..]);
        var frame = tail[^(length + Overhead)..];
        var json = frame.Slice(8, length);
        var good = BinaryPrimitives.ReadUInt32LittleEndian(frame) == SkippableMagic
            && BinaryPrimitives.ReadInt32LittleEndian(frame[4..]) == length + TrailerLength
            && SHA256.HashData(json).AsSpan().SequenceEqual(frame.Slice(8 + length, 32));
        return good ? RepositoryFormat.ReadJson(json, type, key) : throw RepositoryFormat.Corrupt(key, "has a damaged directory");
    }
}
