using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using RbdBackup.Core.Tests.Sealing;
using RbdBackup.Zstd;

namespace RbdBackup.Core.Tests.Repository;

/// <summary>A reader of a repository in a folder that was written from docs/FORMAT.md and uses nothing of the first one but libzstd: it judges whether the document tells the truth.</summary>
internal sealed class SecondReader(string folder, string? secret = null) : IDisposable
{
    private readonly RawCodec _zstd = new();
    private readonly SecondOpener? _opener = secret is null ? null : new SecondOpener(folder, secret);

    public void Dispose() => _zstd.Dispose();

    /// <summary>The image at a point, by manifests, indexes and frames.</summary>
    public byte[] ReadImage(string manifestKey)
    {
        var manifest = ReadManifest(manifestKey);
        var independent = manifest.TryGetProperty("independent", out var i) && i.GetBoolean();
        var image = !independent && manifest.GetProperty("base") is { ValueKind: JsonValueKind.Object } below ? ReadImage(FindManifest(below)) : [];
        Array.Resize(ref image, manifest.GetProperty("size").GetInt32());
        foreach (var name in (string[])["plan", "index", "references"])
        {
            var named = manifest.GetProperty(name);
            Assert.Equal(named.GetProperty("sha256").GetString(), Digest(Read(named.GetProperty("key").GetString()!)));
        }

        var plan = manifest.GetProperty("plan").GetProperty("sha256").GetString();
        var index = Read(manifest.GetProperty("index").GetProperty("key").GetString()!);
        var directory = ReadDirectory(index);
        foreach (var page in directory.GetProperty("pages").EnumerateArray())
        {
            if (manifest.GetProperty("required_features").EnumerateArray().Any(f => f.GetString() == "merged-index"))
            {
                ApplyRoot(image, Decompress(index, page), page, directory);
            }
            else
            {
                ApplyPage(image, Decompress(index, page), page, directory.GetProperty("segments"), plan!);
            }
        }

        return image;
    }

    private void ApplyRoot(byte[] image, ReadOnlySpan<byte> plain, JsonElement root, JsonElement directory)
    {
        var leafBytes = directory.GetProperty("leaf_bytes").GetInt64();
        var leaf = root.GetProperty("start").GetInt64() / leafBytes;
        for (var count = root.GetProperty("count").GetInt32(); count > 0; count--, leaf++)
        {
            leaf += Number(ref plain);
            var known = new bool[image.Length];
            for (var layers = Number(ref plain); layers > 0; layers--)
            {
                var stored = Read(directory.GetProperty("objects")[(int)Number(ref plain)].GetProperty("key").GetString()!);
                var at = leaf * leafBytes;
                for (var inLayer = Number(ref plain); inLayer > 0; inLayer--)
                {
                    var start = at + Number(ref plain);
                    at = start + Number(ref plain);
                    var (entries, offset, length) = (Number(ref plain), (int)Number(ref plain), (int)Number(ref plain));
                    var (bytes, sha, end) = (new byte[Number(ref plain)], Convert.ToHexStringLower(plain[..32]), at);
                    plain = plain[32..];
                    _zstd.Decompress(stored.AsSpan(offset, length), bytes);
                    Assert.Equal(sha, Digest(bytes));
                    ApplyLeaf(image, known, bytes, entries, start, end);
                }
            }
        }

        Assert.True(plain.IsEmpty);
    }

    /// <summary>Fills what no newer layer did; a frame of which nothing shows may be gone.</summary>
    private void ApplyLeaf(byte[] image, bool[] known, ReadOnlySpan<byte> plain, long count, long at, long end)
    {
        var sources = new List<(string Point, string Attempt)>();
        for (var n = Number(ref plain); n > 0; n--, plain = plain[24..])
        {
            sources.Add((new Guid(plain[..16], bigEndian: true).ToString(), Convert.ToHexStringLower(plain[16..24])));
        }

        var (frame, source, segment, behind) = (new Lazy<byte[]>([]), 0, 0L, 0);
        for (; count > 0; count--)
        {
            at += Number(ref plain);
            var packed = Number(ref plain);
            if ((packed & 3) == 2)
            {
                (source, segment, behind) = ((int)Number(ref plain), Number(ref plain), (int)Number(ref plain));
            }

            if ((packed & 3) >= 2)
            {
                var length = (int)Number(ref plain);
                var (from, number, offset) = (sources[source], segment, behind);
                frame = new Lazy<byte[]>(() => ReadFrame(from.Point, from.Attempt, number, offset, length, null));
                behind += length;
            }

            for (var stop = at + (packed >> 2); at < stop; at++)
            {
                image[at] = known[at] ? image[at] : (packed & 3) == 0 ? (byte)0 : frame.Value[at];
                known[at] = true;
            }
        }

        Assert.True(plain.IsEmpty);
        Assert.Equal(end, at);
    }

    private static string Digest(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private string PathOf(string key) => Path.Combine(folder, key);

    private byte[] Read(string key) => _opener?.Object(key) ?? File.ReadAllBytes(PathOf(key));

    private string FindManifest(JsonElement below)
    {
        var disk = $"points/{below.GetProperty("disk").GetString()}";
        var file = Directory.GetFiles(PathOf(disk), $"{below.GetProperty("point").GetString()}.*.json").Max(StringComparer.Ordinal)!;
        return $"{disk}/{Path.GetFileName(file)}";
    }

    private JsonElement ReadManifest(string key)
    {
        using var document = JsonDocument.Parse(Read(key));
        var manifest = document.RootElement.GetProperty("manifest");
        Assert.Equal(document.RootElement.GetProperty("sha256").GetString(), Digest(Encoding.UTF8.GetBytes(manifest.GetRawText())));
        Assert.Equal(1, manifest.GetProperty("format").GetInt32());
        Assert.Equal(_opener is not null, manifest.GetProperty("required_features").EnumerateArray().Any(f => f.GetString() == "sealed"));
        return manifest.Clone();
    }

    private static JsonElement ReadDirectory(byte[] whole)
    {
        Assert.Equal("RBDBKDIR", Encoding.ASCII.GetString(whole[^8..]));
        var n = BinaryPrimitives.ReadInt32LittleEndian(whole.AsSpan(whole.Length - 12));
        var frame = whole.AsSpan(whole.Length - n - 52);
        Assert.Equal(0x184D2A5Eu, BinaryPrimitives.ReadUInt32LittleEndian(frame));
        Assert.Equal(n + 44, BinaryPrimitives.ReadInt32LittleEndian(frame[4..]));
        Assert.Equal(Digest(frame.Slice(8, n)), Convert.ToHexStringLower(frame.Slice(8 + n, 32)));
        return JsonDocument.Parse(frame.Slice(8, n).ToArray()).RootElement;
    }

    private byte[] Decompress(byte[] whole, JsonElement page)
    {
        var plain = new byte[page.GetProperty("plain_length").GetInt32()];
        _zstd.Decompress(whole.AsSpan(page.GetProperty("offset").GetInt32(), page.GetProperty("length").GetInt32()), plain);
        Assert.Equal(page.GetProperty("sha256").GetString(), Digest(plain));
        return plain;
    }

    private void ApplyPage(byte[] image, ReadOnlySpan<byte> plain, JsonElement page, JsonElement runs, string plan)
    {
        var (at, frame) = (page.GetProperty("start").GetInt64(), Array.Empty<byte>());
        for (var count = page.GetProperty("count").GetInt32(); count > 0; count--)
        {
            at += Number(ref plain);
            var packed = Number(ref plain);
            if ((packed & 3) == 2)
            {
                var run = runs[(int)Number(ref plain)];
                frame = ReadFrame(run.GetProperty("point").GetString()!, run.GetProperty("attempt").GetString()!, Number(ref plain), (int)Number(ref plain), (int)Number(ref plain), plan);
            }

            var entry = image.AsSpan((int)at, (int)(packed >> 2));
            entry.Clear();
            if ((packed & 3) != 0)
            {
                frame.AsSpan((int)at, entry.Length).CopyTo(entry);
            }

            at += entry.Length;
        }

        Assert.True(plain.IsEmpty);
        Assert.Equal(page.GetProperty("end").GetInt64(), at);
    }

    /// <summary>A frame's data, each byte at its place in the image, proven by the frame's hash.</summary>
    private byte[] ReadFrame(string point, string attempt, long segment, int offset, int length, string? plan)
    {
        var whole = File.ReadAllBytes(PathOf($"data/{point}/{segment:D8}.{attempt}"));
        var footer = _opener?.Footer(point, attempt, segment) ?? ReadDirectory(whole);
        Assert.Equal(plan ?? footer.GetProperty("plan").GetString(), footer.GetProperty("plan").GetString());
        Assert.Contains(footer.GetProperty("frames").EnumerateArray(), f => f.GetProperty("offset").GetInt32() == offset && f.GetProperty("length").GetInt32() == length);
        var stored = _opener is null ? whole.AsSpan(offset, length) : _opener.Frame(point, attempt, segment, offset, length);
        Assert.Equal("5D2A4D18", Convert.ToHexString(stored[..4]));
        var hashLength = stored[8] switch { 1 => 32, 2 => 16, _ => -1 };
        var e = BinaryPrimitives.ReadInt32LittleEndian(stored[4..]) - 40 - hashLength;
        Assert.Equal(point, new Guid(stored.Slice(12, 16), bigEndian: true).ToString());
        Assert.Equal(segment, BinaryPrimitives.ReadInt32LittleEndian(stored[28..]));
        Assert.Equal(stored.Length, 48 + e + hashLength + BinaryPrimitives.ReadInt32LittleEndian(stored[40..]));
        var records = new byte[BinaryPrimitives.ReadInt32LittleEndian(stored[36..])];
        _zstd.Decompress(stored[(48 + e + hashLength)..], records);
        var (data, preamble) = ReadRecords(records, stored[9] == 1);

        var hashed = new MemoryStream();
        hashed.Write(stored[..(48 + e)]);
        hashed.Write(records, 0, preamble);
        ReadOnlySpan<byte> extents = stored.Slice(48, e);
        for (var (count, at) = (BinaryPrimitives.ReadInt32LittleEndian(stored[44..]), 0L); count > 0; count--)
        {
            at += Number(ref extents);
            var packed = Number(ref extents);
            hashed.Write((packed & 1) != 0 ? data.AsSpan((int)at, (int)(packed >> 1)) : []);
            at += packed >> 1;
        }

        var hash = stored[8] == 1 ? SHA256.HashData(hashed.ToArray()) : XxHash128.Hash(hashed.ToArray());
        Assert.Equal(Convert.ToHexString(stored.Slice(48 + e, hashLength)), Convert.ToHexString(hash));
        return data;
    }

    private static (byte[] Data, int Preamble) ReadRecords(byte[] records, bool end)
    {
        var (data, preamble) = (new byte[1 << 20], 0);
        var at = records.AsSpan().StartsWith("rbd diff v1\n"u8) ? 12 : 0;
        while (at < records.Length && records[at] != 'e')
        {
            var tag = (char)records[at];
            var first = (int)BinaryPrimitives.ReadInt64LittleEndian(records.AsSpan(at + 1));
            if (tag is 'w' or 'z')
            {
                var length = (int)BinaryPrimitives.ReadInt64LittleEndian(records.AsSpan(at + 9));
                preamble = preamble == 0 ? at + 1 : preamble;
                records.AsSpan(at + 17, tag == 'w' ? length : 0).CopyTo(data.AsSpan(first));
                at += 17 + (tag == 'w' ? length : 0);
            }
            else
            {
                at += tag == 's' ? 9 : 5 + BinaryPrimitives.ReadInt32LittleEndian(records.AsSpan(at + 1));
            }
        }

        Assert.Equal(end, at == records.Length - 1);
        return (data, preamble == 0 ? at : preamble - 1);
    }

    private static long Number(ref ReadOnlySpan<byte> input)
    {
        var (value, n) = (0L, 0);
        do
        {
            value |= (long)(input[n] & 0x7F) << (7 * n);
        }
        while (input[n++] >= 0x80);

        input = input[n..];
        return value;
    }
}
