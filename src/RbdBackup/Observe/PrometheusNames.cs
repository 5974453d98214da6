using System.Diagnostics.Metrics;
using System.Text;

namespace RbdBackup.Observe;

/// <summary>Turns dotted names and UCUM units into Prometheus's names.</summary>
internal static class PrometheusNames
{
    private static readonly Dictionary<string, string> Units = new()
    {
        ["s"] = "seconds",
        ["ms"] = "milliseconds",
        ["us"] = "microseconds",
        ["min"] = "minutes",
        ["h"] = "hours",
        ["d"] = "days",
        ["By"] = "bytes",
        ["KiBy"] = "kibibytes",
        ["MiBy"] = "mebibytes",
        ["GiBy"] = "gibibytes",
        ["%"] = "percent",
        ["1"] = "ratio",
    };

    /// <summary>The name of an instrument's family: unit as a suffix, <c>_total</c> for counters.</summary>
    public static string Of(Instrument instrument, MetricKind kind)
    {
        var name = Sanitize(instrument.Name);
        var unit = Unit(instrument.Unit, kind);
        if (unit.Length > 0 && !name.EndsWith("_" + unit, StringComparison.Ordinal))
        {
            name += "_" + unit;
        }

        return kind == MetricKind.Counter && !name.EndsWith("_total", StringComparison.Ordinal) ? name + "_total" : name;
    }

    /// <summary>A name of letters, digits and underscores that does not begin with a digit.</summary>
    public static string Sanitize(string name)
    {
        var clean = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return clean.Length == 0 || char.IsAsciiDigit(clean[0]) ? "_" + clean : clean;
    }

    /// <summary>A label's value between quotes.</summary>
    public static string EscapeLabel(string value) => EscapeHelp(value).Replace("\"", "\\\"", StringComparison.Ordinal);

    /// <summary>A help text.</summary>
    public static string EscapeHelp(string text) =>
        new StringBuilder(text).Replace("\\", "\\\\").Replace("\r", "").Replace("\n", "\\n").ToString();

    /// <summary>
    /// <c>By/s</c> is bytes_per_second; annotations such as <c>{point}</c> are no unit; <c>1</c> is a ratio for gauges only.
    /// </summary>
    private static string Unit(string? ucum, MetricKind kind)
    {
        if (string.IsNullOrEmpty(ucum) || ucum[0] == '{' || (ucum == "1" && kind != MetricKind.Gauge))
        {
            return "";
        }

        var parts = ucum.Split('/', 2);
        var unit = Units.GetValueOrDefault(parts[0]) ?? Sanitize(parts[0]);
        if (parts.Length == 1)
        {
            return unit;
        }

        var per = Units.GetValueOrDefault(parts[1])?.TrimEnd('s') ?? Sanitize(parts[1]);
        return $"{unit}_per_{per}";
    }
}
