using System.Text.Json;

namespace RbdBackup.OpenStack;

/// <summary>Reading of JSON that may hold anything: a member of another kind than expected reads as absent.</summary>
internal static class JsonReading
{
    /// <summary>A member that is a string; null where it is absent or of another kind.</summary>
    public static string? Text(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>A member; null where there is none, or where <paramref name="element"/> is no object.</summary>
    public static JsonElement? Member(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : null;

    /// <summary>The data of one of Nova's versioned objects; null where it is none, or of a major version that nobody has seen.</summary>
    public static JsonElement? VersionedData(this JsonElement element) =>
        element.Text("nova_object.namespace") == "nova"
        && element.Text("nova_object.version") is ['1' or '2', '.', ..]
        && element.Member("nova_object.data") is { ValueKind: JsonValueKind.Object } data
            ? data
            : null;
}
