using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace RbdBackup.Core.Repository;

/// <summary>A JSON value with a digest of its own exact bytes: <c>{"sha256":"…","NAME":{…}}</c> and a newline.</summary>
internal static class DigestedJson
{
    /// <summary>The bytes to store.</summary>
    public static byte[] Write(string name, byte[] json) =>
        [.. Encoding.ASCII.GetBytes($"{{\"sha256\":\"{Convert.ToHexStringLower(SHA256.HashData(json))}\",\"{name}\":"), .. json, .. "}\n"u8];

    /// <summary>The value's bytes, with its digest checked, and its format: the rest of a newer one may have another shape.</summary>
    /// <exception cref="Model.RbdBackupException"><see cref="Model.ErrorKind.Corrupt"/>, or <see cref="Model.ErrorKind.Unsupported"/> for a newer format.</exception>
    public static byte[] Open(string name, byte[] stored, string key)
    {
        var (digest, json) = Split(name, stored, key);
        if (Convert.ToHexStringLower(SHA256.HashData(json)) != digest)
        {
            throw RepositoryFormat.Corrupt(key, "does not match its digest");
        }

        using var head = JsonDocument.Parse(json);
        var root = head.RootElement.ValueKind == JsonValueKind.Object ? head.RootElement : throw RepositoryFormat.Corrupt(key, "is not a manifest");
        RepositoryFormat.Require(
            root.TryGetProperty("format", out var f) && f.TryGetInt32(out var format) ? format : 0,
            root.TryGetProperty("required_features", out var r) && r.ValueKind == JsonValueKind.Array ? r.EnumerateArray().Select(e => e.ToString()) : [],
            key);
        return json;
    }

    private static (string Digest, byte[] Json) Split(string name, byte[] stored, string key)
    {
        try
        {
            using var document = JsonDocument.Parse(stored);
            var digest = document.RootElement.GetProperty("sha256").GetString() ?? "";
            return (digest, Encoding.UTF8.GetBytes(document.RootElement.GetProperty(name).GetRawText()));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw RepositoryFormat.Corrupt(key, "is not a manifest", e);
        }
    }
}
