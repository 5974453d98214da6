using System.Globalization;
using System.Text.RegularExpressions;

namespace RbdBackup.Configuration;

/// <summary>How values of one type are written.</summary>
/// <param name="Name">The type's name for the documentation.</param>
/// <param name="Allowed">What is allowed, as the end of a sentence.</param>
/// <param name="Parse">Reads a value; null where it is not of this syntax.</param>
/// <param name="List">Makes a list of values that were read.</param>
public sealed partial record OptionSyntax(string Name, string Allowed, Func<string, object?> Parse, Func<IEnumerable<object>, object> List)
{
    private static readonly Dictionary<Type, OptionSyntax> ByType = new()
    {
        [typeof(string)] = New<string>("text", "a text that is not empty", t => t.Length > 0 ? t : null),
        [typeof(int)] = New<int>(
            "number", "a whole number",
            t => int.TryParse(t, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) ? n : null),
        [typeof(bool)] = New<bool>("boolean", "true, false, yes, no, on, off, 1 or 0", Boolean),
        [typeof(TimeSpan)] = New<TimeSpan>("duration", "a duration with its unit (ms, s, m, h, d, w), such as 30s or 7d", t => Duration(t)),
        [typeof(TimeOnly)] = New<TimeOnly>(
            "time of day", "a time of day as HH:MM",
            t => TimeOnly.TryParseExact(t, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time : null),
        [typeof(long)] = New<long>("bytes", "bytes, with KiB, MiB, GiB or TiB behind the number if you like, such as 32MiB", t => Bytes(t)),
        [typeof(ByteRate)] = New<ByteRate>(
            "bytes a second", "bytes a second such as 200MiB/s, or 0 for no limit",
            t => Bytes(t.EndsWith("/s", StringComparison.Ordinal) ? t[..^2] : t) is { } b ? new ByteRate(b) : null),
        [typeof(Percent)] = New<Percent>("percent", "a share such as 1% or 0.5%, from 0 to 100%", t => Share(t)),
        [typeof(Compression)] = New<Compression>(
            "compression", "zstd:LEVEL with a level from 1 to 19, or none", t => Compression.TryParse(t, out var c) ? c : null),
        [typeof(DayOfWeek)] = New<DayOfWeek>("weekday", "mon, tue, wed, thu, fri, sat or sun", t => Weekday(t)),
    };

    /// <summary>The syntax of a property's type; for lists, that of one item.</summary>
    public static OptionSyntax Of(Type type) => ByType[type];

    /// <summary>Reads a duration such as <c>30s</c>; null where it is none.</summary>
    public static TimeSpan? Duration(string text)
    {
        var match = DurationPattern().Match(text);
        if (!match.Success || !int.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }

        var unit = match.Groups[2].Value switch
        {
            "ms" => TimeSpan.FromMilliseconds(1),
            "s" => TimeSpan.FromSeconds(1),
            "m" => TimeSpan.FromMinutes(1),
            "h" => TimeSpan.FromHours(1),
            "d" => TimeSpan.FromDays(1),
            _ => TimeSpan.FromDays(7),
        };
        return number <= TimeSpan.MaxValue / unit ? number * unit : null;
    }

    /// <summary>Reads a byte size such as <c>32MiB</c>; null where it is none.</summary>
    public static long? Bytes(string text)
    {
        var match = BytesPattern().Match(text);
        if (!match.Success || !long.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }

        var shift = 10 * " KMGT".IndexOf(match.Groups[2].Value.FirstOrDefault(' '), StringComparison.Ordinal);
        return number <= long.MaxValue >> shift ? number << shift : null;
    }

    private static OptionSyntax New<T>(string name, string allowed, Func<string, object?> parse) =>
        new(name, allowed, parse, values => values.Cast<T>().ToList());

    private static Percent? Share(string text) =>
        double.TryParse(text.TrimEnd('%').TrimEnd(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var share) && share is >= 0 and <= 100
            ? new Percent(share)
            : null;

    private static object? Boolean(string text) => text.ToLowerInvariant() switch
    {
        "true" or "1" or "on" or "yes" => true,
        "false" or "0" or "off" or "no" => false,
        _ => null,
    };

    private static DayOfWeek? Weekday(string text)
    {
        var day = Array.IndexOf(["sun", "mon", "tue", "wed", "thu", "fri", "sat"], text.ToLowerInvariant());
        return day < 0 ? null : (DayOfWeek)day;
    }

    [GeneratedRegex(@"^([0-9]+)\s*(ms|s|m|h|d|w)$", RegexOptions.CultureInvariant)]
    private static partial Regex DurationPattern();

    [GeneratedRegex(@"^([0-9]+)\s*(?:([KMGT])iB|B)?$", RegexOptions.CultureInvariant)]
    private static partial Regex BytesPattern();
}
