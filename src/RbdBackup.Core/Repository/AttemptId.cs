using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RbdBackup.Core.Repository;

/// <summary>One try at making a point: 64 random bits, 16 hexadecimal digits in every key that the try writes, so that no two tries write one key.</summary>
[JsonConverter(typeof(AttemptIdJsonConverter))]
public readonly record struct AttemptId(string Value)
{
    /// <summary>The length of the written form.</summary>
    public const int Length = 16;

    /// <summary>A new id.</summary>
    public static AttemptId New() => new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Length / 2)));

    /// <summary>Reads an id; null where the text is none.</summary>
    public static AttemptId? TryParse(string text) =>
        text.Length == Length && text.All(c => char.IsAsciiHexDigitLower(c)) ? new AttemptId(text) : null;

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>An attempt's id in JSON: its text.</summary>
public sealed class AttemptIdJsonConverter : JsonConverter<AttemptId>
{
    /// <inheritdoc/>
    public override AttemptId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        AttemptId.TryParse(reader.GetString() ?? "") ?? throw new JsonException("not an attempt id");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, AttemptId value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value.Value);
    }
}
