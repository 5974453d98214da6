using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RbdBackup.Core.Model;

/// <summary>A restore point's id: a UUIDv7, so ids sort by the time at which they were made.</summary>
[JsonConverter(typeof(PointIdJsonConverter))]
public readonly record struct PointId(Guid Value) : IComparable<PointId>
{
    /// <summary>A new id for a point made at <paramref name="now"/>.</summary>
    public static PointId New(DateTimeOffset now) => new(Guid.CreateVersion7(now));

    /// <summary>The time that the id was made, in milliseconds' resolution.</summary>
    public DateTimeOffset Time =>
        DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(Value.ToString("N").AsSpan(0, 12), System.Globalization.NumberStyles.HexNumber));

    /// <summary>Reads an id in its usual form, 36 characters.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: not an id.</exception>
    public static PointId Parse(string text) =>
        TryParse(text, out var id)
            ? id.Value
            : throw new RbdBackupException(ErrorKind.Usage, $"'{text}' is not a restore point's id", "'rbdbackup list' shows the ids.");

    /// <summary>As <see cref="Parse"/>, without an exception.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out PointId? id)
    {
        id = Guid.TryParseExact(text, "D", out var g) && g.Version == 7 ? new PointId(g) : null;
        return id is not null;
    }

    /// <inheritdoc/>
    public int CompareTo(PointId other) => Value.CompareTo(other.Value);

    /// <summary>The id in its usual form, lower case, 36 characters.</summary>
    public override string ToString() => Value.ToString("D");

    /// <summary>Earlier than.</summary>
    public static bool operator <(PointId left, PointId right) => left.CompareTo(right) < 0;

    /// <summary>Later than.</summary>
    public static bool operator >(PointId left, PointId right) => left.CompareTo(right) > 0;

    /// <summary>Not later than.</summary>
    public static bool operator <=(PointId left, PointId right) => left.CompareTo(right) <= 0;

    /// <summary>Not earlier than.</summary>
    public static bool operator >=(PointId left, PointId right) => left.CompareTo(right) >= 0;
}

/// <summary>A point's id in JSON: its text.</summary>
public sealed class PointIdJsonConverter : JsonConverter<PointId>
{
    /// <inheritdoc/>
    public override PointId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        PointId.TryParse(reader.GetString() ?? "", out var id) ? id.Value : throw new JsonException("not a point id");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, PointId value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value.ToString());
    }
}
