using System.Globalization;

namespace RbdBackup.OpenStack;

/// <summary>
/// The spellings in which the services write a time: <c>2026-11-21 00:28:52.824124</c>, <c>2026-11-21T00:28:52+00:00</c>,
/// <c>2026-11-21T00:26:06Z</c>, <c>2026-11-21 00:25:53+00:00</c> and their mixtures. Without an offset it is UTC.
/// </summary>
public static class OpenStackTime
{
    private static readonly string[] Formats =
    [
        "yyyy-MM-dd HH:mm:ss.FFFFFFF", "yyyy-MM-dd HH:mm:ss.FFFFFFFzzz", "yyyy-MM-dd HH:mm:ss.FFFFFFFZ",
        "yyyy-MM-ddTHH:mm:ss.FFFFFFF", "yyyy-MM-ddTHH:mm:ss.FFFFFFFzzz", "yyyy-MM-ddTHH:mm:ss.FFFFFFFZ",
    ];

    /// <summary>Reads a time; false where it is null or in no such spelling. The result is UTC.</summary>
    public static bool TryParse(string? text, out DateTimeOffset time) =>
        DateTimeOffset.TryParseExact(
            text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
}
