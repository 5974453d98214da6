using System.Globalization;

namespace RbdBackup.Cli;

/// <summary>Numbers as people read them.</summary>
public static class Humanize
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>Bytes with a binary unit: <c>1.5 GiB</c>.</summary>
    public static string Bytes(long bytes)
    {
        var value = (double)bytes;
        var unit = 0;
        while (Math.Abs(value) >= 1024 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{value:0.#} {Units[unit]}");
    }

    /// <summary>A duration in its two largest units: <c>3d 4h</c>, <c>12s</c>.</summary>
    public static string Duration(TimeSpan duration) => duration switch
    {
        { TotalDays: >= 1 } => $"{(int)duration.TotalDays}d {duration.Hours}h",
        { TotalHours: >= 1 } => $"{duration.Hours}h {duration.Minutes}m",
        { TotalMinutes: >= 1 } => $"{duration.Minutes}m {duration.Seconds}s",
        { TotalSeconds: >= 10 } => $"{duration.Seconds}s",
        _ => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.0}s"),
    };

    /// <summary>A time in UTC, to the second: <c>2026-11-21 02:00:00Z</c>.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>An amount of a UCUM unit: bytes are scaled, annotations such as <c>{point}</c> are written behind the number.</summary>
    public static string Amount(long amount, string unit) => unit switch
    {
        "By" => Bytes(amount),
        ['{', .. var what, '}'] => $"{amount} {what}{(amount == 1 ? "" : "s")}",
        _ => $"{amount} {unit}",
    };
}
