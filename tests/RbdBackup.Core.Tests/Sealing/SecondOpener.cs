using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace RbdBackup.Core.Tests.Sealing;

/// <summary>Opens a sealed repository in a folder, written from docs/FORMAT.md alone: it judges whether the document tells the truth.</summary>
internal sealed class SecondOpener
{
    private readonly string _folder;
    private readonly byte[] _repository;
    private readonly Dictionary<int, byte[]> _masters = [];

    /// <summary>Opens with 32 bytes in hexadecimal, or a passphrase.</summary>
    public SecondOpener(string folder, string secret)
    {
        _folder = folder;
        var header = JsonDocument.Parse(File.ReadAllBytes(Directory.GetFiles(folder, "repository.*").Min(StringComparer.Ordinal)!)).RootElement;
        Assert.Equal("sealed", Assert.Single(header.GetProperty("required_features").EnumerateArray()).GetString());
        _repository = Convert.FromHexString(header.GetProperty("id").GetString()!.Replace("-", "", StringComparison.Ordinal));
        foreach (var file in Directory.GetFiles(Path.Combine(folder, "keys")).Where(f => Path.GetFileName(f).IndexOf('.') == 8))
        {
            OpenSlot(JsonDocument.Parse(File.ReadAllBytes(file)).RootElement, secret);
        }

        for (var generation = _masters.Keys.Max() - 1; generation > 0; generation--)
        {
            foreach (var file in Directory.GetFiles(Path.Combine(folder, "keys"), $"older.{generation:D5}.*"))
            {
                var wrapped = Hex(JsonDocument.Parse(File.ReadAllBytes(file)).RootElement.GetProperty("wrapped"));
                var under = Hkdf(_masters[generation + 1], "rbdbackup older master");
                _masters[generation] = Unwrap(under, wrapped, [.. "rbdbackup older master"u8, .. _repository, .. U32(generation)]) ?? _masters.GetValueOrDefault(generation)!;
            }
        }
    }

    /// <summary>An object that is not a segment.</summary>
    public byte[] Object(string key)
    {
        var stored = File.ReadAllBytes(Path.Combine(_folder, key));
        var blocks = (stored.Length + 16415) / 16416;
        var plain = new MemoryStream();
        for (var n = 0; n < blocks; n++)
        {
            var block = stored.AsSpan(n * 16416, Math.Min(16416, stored.Length - (n * 16416)));
            Assert.Equal(1, BinaryPrimitives.ReadUInt16BigEndian(block));
            var under = Hkdf(_masters[BinaryPrimitives.ReadUInt16BigEndian(block[2..])], "rbdbackup object" + key);
            byte[] bound = [.. "rbdbackup block"u8, .. block[..4], .. U64(n), .. U64(stored.Length - (32L * blocks))];
            plain.Write(Gcm(under, block.Slice(4, 12), block[16..^16], block[^16..], bound) ?? throw new InvalidDataException(key));
        }

        return plain.ToArray();
    }

    /// <summary>A frame of a segment.</summary>
    public byte[] Frame(string point, string attempt, long segment, long offset, int length)
    {
        var stored = File.ReadAllBytes(Path.Combine(_folder, $"data/{point}/{segment:D8}.{attempt}")).AsSpan((int)offset, length);
        byte[] where = [.. _repository, .. Id(point), .. Convert.FromHexString(attempt), .. U32(segment)];
        var dataKey = Unwrap(AttemptKey(point, attempt), stored[4..64], [.. "rbdbackup segment"u8, .. where])!;
        return Gcm(dataKey, [0, 0, 0, 0, 0, 0, 0, 0, .. stored[..4]], stored[64..^16], stored[^16..], [.. "rbdbackup frame"u8, .. where, .. stored[..4], .. U64(offset)])!;
    }

    /// <summary>A segment's footer.</summary>
    public JsonElement Footer(string point, string attempt, long segment)
    {
        var stored = File.ReadAllBytes(Path.Combine(_folder, $"data/{point}/{segment:D8}.{attempt}"));
        Assert.Equal("RBDBKSEA", Encoding.ASCII.GetString(stored[^8..]));
        var length = BinaryPrimitives.ReadInt32LittleEndian(stored.AsSpan(stored.Length - 12));
        var offset = stored.Length - 12 - length;
        Assert.Equal("FFFFFFFF", Convert.ToHexString(stored.AsSpan(offset, 4)));
        return JsonDocument.Parse(Frame(point, attempt, segment, offset, length)).RootElement;
    }

    private byte[] AttemptKey(string point, string attempt)
    {
        var file = Directory.GetFiles(Path.Combine(_folder, "data", point), $"wraps.{attempt}.*").Max(StringComparer.Ordinal)!;
        var wrap = JsonDocument.Parse(File.ReadAllBytes(file)).RootElement;
        Assert.Equal("master", wrap.GetProperty("kind").GetString());
        var generation = wrap.GetProperty("generation").GetInt32();
        byte[] where = [.. Id(point), .. Convert.FromHexString(attempt)];
        var under = HKDF.DeriveKey(HashAlgorithmName.SHA256, _masters[generation], 32, _repository, [.. "rbdbackup attempt"u8, .. where]);
        return Unwrap(under, Hex(wrap.GetProperty("wrapped")), [.. "rbdbackup attempt"u8, .. _repository, .. where, .. U32(generation)])!;
    }

    private void OpenSlot(JsonElement slot, string secret)
    {
        var (id, kind, label) = (slot.GetProperty("slot").GetString(), slot.GetProperty("kind").GetString(), slot.GetProperty("label").GetString());
        var (generation, iterations, salt) = (slot.GetProperty("generation").GetInt32(), slot.GetProperty("iterations").GetInt32(), Hex(slot.GetProperty("salt")));
        var under = kind == "raw"
            ? HKDF.DeriveKey(HashAlgorithmName.SHA256, Convert.FromHexString(secret), 32, salt, "rbdbackup slot"u8.ToArray())
            : Rfc2898DeriveBytes.Pbkdf2(secret, salt, iterations, HashAlgorithmName.SHA256, 32);
        byte[] bound = [.. "rbdbackup slot"u8, .. _repository, .. U32(generation), .. Encoding.UTF8.GetBytes($"{id}\0{kind}\0{iterations}\0{label}")];
        if (Unwrap(under, Hex(slot.GetProperty("wrapped")), bound) is { } master)
        {
            _masters[generation] = master;
        }
    }

    private byte[] Hkdf(byte[] key, string info) => HKDF.DeriveKey(HashAlgorithmName.SHA256, key, 32, _repository, Encoding.UTF8.GetBytes(info));

    private static byte[]? Unwrap(byte[] under, ReadOnlySpan<byte> wrapped, byte[] bound) => Gcm(under, wrapped[..12], wrapped[12..44], wrapped[44..], bound);

    private static byte[]? Gcm(byte[] key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> content, ReadOnlySpan<byte> tag, byte[] bound)
    {
        var plain = new byte[content.Length];
        using var gcm = new AesGcm(key, 16);
        try
        {
            gcm.Decrypt(nonce, content, tag, plain, bound);
            return plain;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    private static byte[] Hex(JsonElement text) => Convert.FromHexString(text.GetString()!);

    private static byte[] Id(string uuid) => Convert.FromHexString(uuid.Replace("-", "", StringComparison.Ordinal));

    private static byte[] U32(long number) => U64(number)[4..];

    private static byte[] U64(long number)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        return bytes;
    }
}
