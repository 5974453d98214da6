using System.Globalization;

namespace RbdBackup.Configuration;

/// <summary>How frames are compressed.</summary>
/// <param name="Level">The level of zstd; null for none, which is zstd with raw blocks.</param>
public readonly record struct Compression(int? Level)
{
    /// <summary>Reads <c>none</c>, <c>zstd</c> or <c>zstd:LEVEL</c>.</summary>
    public static bool TryParse(string text, out Compression compression)
    {
        ArgumentNullException.ThrowIfNull(text);
        compression = new Compression(text == "none" ? null : 3);
        if (text is "none" or "zstd")
        {
            return true;
        }

        if (!text.StartsWith("zstd:", StringComparison.Ordinal)
            || !int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var level)
            || level is < 1 or > 19)
        {
            return false;
        }

        compression = new Compression(level);
        return true;
    }

    /// <summary><c>none</c> or <c>zstd:LEVEL</c>.</summary>
    public override string ToString() => Level is { } level ? $"zstd:{level}" : "none";
}
