using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace RbdBackup.OpenStack;

/// <summary>A server's metadata: a JSON object of strings, in both of Nova's formats.</summary>
internal static class ServerMetadata
{
    /// <summary>Reads the payload's metadata; false where it is missing or of another shape. Duplicate keys were refused by the parser.</summary>
    public static bool TryRead(JsonElement payload, [NotNullWhen(true)] out IReadOnlyDictionary<string, string>? metadata)
    {
        metadata = payload.Member("metadata") is { ValueKind: JsonValueKind.Object } all
            && all.EnumerateObject().All(p => p.Value.ValueKind == JsonValueKind.String)
                ? all.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!)
                : null;
        return metadata is not null;
    }
}

/// <summary>A volume's metadata: a JSON list of <c>{"key": …, "value": …}</c>.</summary>
internal static class VolumeMetadata
{
    /// <summary>Reads the payload's metadata; false where it is missing, of another shape, or names a key twice.</summary>
    public static bool TryRead(JsonElement payload, [NotNullWhen(true)] out IReadOnlyDictionary<string, string>? metadata)
    {
        metadata = null;
        if (payload.Member("metadata") is not { ValueKind: JsonValueKind.Array } all)
        {
            return false;
        }

        var read = new Dictionary<string, string>();
        foreach (var entry in all.EnumerateArray())
        {
            if (entry.Text("key") is not { } key || entry.Text("value") is not { } value || !read.TryAdd(key, value))
            {
                return false;
            }
        }

        metadata = read;
        return true;
    }
}
