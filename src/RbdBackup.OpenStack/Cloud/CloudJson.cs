using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>Parts of bodies that more than one service has.</summary>
internal static class CloudJson
{
    /// <summary>Metadata as a body has it.</summary>
    public static JsonObject Of(IReadOnlyDictionary<string, string> metadata) => new(metadata.Select(pair => new KeyValuePair<string, JsonNode?>(pair.Key, pair.Value)));
}

/// <summary>A time, or, where there is none, null or an empty text.</summary>
internal sealed class TimeConverter : JsonConverter<DateTimeOffset?>
{
    public override DateTimeOffset? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString() switch
    {
        null or "" => null,
        var text => OpenStackTime.TryParse(text, out var time) ? time : throw new JsonException("what should be a time is none"),
    };

    public override void Write(Utf8JsonWriter writer, DateTimeOffset? value, JsonSerializerOptions options) => throw new NotSupportedException();
}

/// <summary>A reference: an object with an id, or, where there is none, an empty text.</summary>
internal sealed class ReferenceConverter : JsonConverter<string>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonElement.ParseValue(ref reader).Text("id");

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => throw new NotSupportedException();
}

/// <summary>A truth that Cinder writes as a text.</summary>
internal sealed class TextTruthConverter : JsonConverter<bool>
{
    public override bool Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.True or JsonTokenType.False => reader.GetBoolean(),
        JsonTokenType.String => string.Equals(reader.GetString(), "true", StringComparison.OrdinalIgnoreCase),
        _ => throw new JsonException("what should be true or false is neither"),
    };

    public override void Write(Utf8JsonWriter writer, bool value, JsonSerializerOptions options) => throw new NotSupportedException();
}
