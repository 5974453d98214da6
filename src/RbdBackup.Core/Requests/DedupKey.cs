using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Requests;

/// <summary>
/// What a request is *about*: the same thing asked twice (a duplicate, a replay, Nova's two formats of one event) has the same key, so that it
/// makes one point.
/// </summary>
/// <param name="Value">32 lower-case hexadecimal digits: the first half of a SHA-256.</param>
[JsonConverter(typeof(DedupKeyJsonConverter))]
public readonly record struct DedupKey(string Value)
{
    private const int Digits = 32;

    /// <summary>The key of a wish for one image.</summary>
    /// <param name="image">The image.</param>
    /// <param name="trigger">What kind of trigger asked: <c>policy</c>, <c>snapshot</c>, <c>schedule</c>, <c>cli</c> …</param>
    /// <param name="value">What tells one wish of that kind from the next: a snapshot's id, a scheduled hour, a notification's identity.</param>
    public static DedupKey Of(ImageSpec image, string trigger, string value)
    {
        ArgumentNullException.ThrowIfNull(image);
        return Of(image.ToString(), trigger, value);
    }

    /// <summary>The key of a wish for a server point.</summary>
    /// <param name="server">The server's id; an image's name has a slash, so it is none.</param>
    /// <param name="trigger">What kind of trigger asked.</param>
    /// <param name="value">What tells one wish of that kind from the next.</param>
    public static DedupKey OfServer(string server, string trigger, string value) => Of(server, trigger, value);

    private static DedupKey Of(string subject, string trigger, string value)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var part in (ReadOnlySpan<string>)[subject, trigger, value])
        {
            // Each part behind its length: ("ab", "c") and ("a", "bc") are two wishes.
            var bytes = Encoding.UTF8.GetBytes(part);
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }

        return new DedupKey(Convert.ToHexStringLower(hash.GetHashAndReset())[..Digits]);
    }

    /// <summary>Reads a key.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out DedupKey? key)
    {
        key = text is { Length: Digits } && text.All(char.IsAsciiHexDigitLower) ? new DedupKey(text) : null;
        return key is not null;
    }

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>A request's key in JSON: its text.</summary>
public sealed class DedupKeyJsonConverter : JsonConverter<DedupKey>
{
    /// <inheritdoc/>
    public override DedupKey Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        DedupKey.TryParse(reader.GetString(), out var key) ? key.Value : throw new JsonException("not a dedup key");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, DedupKey value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value.Value);
    }
}
