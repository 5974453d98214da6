using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>A manifest's bytes: <c>{"sha256":"…","manifest":{…}}</c>, the digest being that of the manifest value's exact bytes.</summary>
public static class ManifestCodec
{
    /// <summary>The bytes to store.</summary>
    public static byte[] Write(Manifest manifest)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(manifest, RepositoryJson.Default.Manifest);
        var digest = Convert.ToHexStringLower(SHA256.HashData(json));
        return [.. Encoding.ASCII.GetBytes($"{{\"sha256\":\"{digest}\",\"manifest\":"), .. json, .. "}\n"u8];
    }

    /// <summary>Reads what <see cref="Write"/> gave, with its digest and format checked.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>, or <see cref="ErrorKind.Unsupported"/> for a newer format.</exception>
    public static Manifest Read(byte[] stored, string key)
    {
        var (digest, json) = Split(stored, key);
        if (Convert.ToHexStringLower(SHA256.HashData(json)) != digest)
        {
            throw RepositoryFormat.Corrupt(key, "does not match its digest");
        }

        // The format is read first: the rest of a newer manifest may have another shape.
        using (var head = JsonDocument.Parse(json))
        {
            var root = head.RootElement.ValueKind == JsonValueKind.Object ? head.RootElement : throw RepositoryFormat.Corrupt(key, "is not a manifest");
            RepositoryFormat.Require(
                root.TryGetProperty("format", out var f) && f.TryGetInt32(out var format) ? format : 0,
                root.TryGetProperty("required_features", out var r) && r.ValueKind == JsonValueKind.Array ? r.EnumerateArray().Select(e => e.ToString()) : [],
                key);
        }

        var manifest = RepositoryFormat.ReadJson(json, RepositoryJson.Default.Manifest, key);
        var expected = Keys.Manifest(manifest.Disk.Key, manifest.Point, manifest.Revision, manifest.Attempt, manifest.Kind, manifest.StoredBytes);
        return key == expected
            ? manifest
            : throw RepositoryFormat.Corrupt(key, "holds the manifest of another point");
    }

    private static (string Digest, byte[] Json) Split(byte[] stored, string key)
    {
        try
        {
            using var document = JsonDocument.Parse(stored);
            var digest = document.RootElement.GetProperty("sha256").GetString() ?? "";
            return (digest, Encoding.UTF8.GetBytes(document.RootElement.GetProperty("manifest").GetRawText()));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw RepositoryFormat.Corrupt(key, "is not a manifest", e);
        }
    }
}
