using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using RbdBackup.Core.Model;

namespace RbdBackup.Volumes;

/// <summary>Which point a tenant wants: one by its id, or the newest of a volume or a server's root disk up to a time. Pure.</summary>
/// <param name="Point">The point; null where a disk is named.</param>
/// <param name="Disk">The volume's or server's id; null where a point is named.</param>
/// <param name="At">Up to when; the end of time for the newest.</param>
internal sealed record RestoreWish(PointId? Point, string? Disk, DateTimeOffset At)
{
    private const string Newest = "latest";

    /// <summary>Reads <c>POINT</c>, <c>ID@TIME</c> or <c>ID@latest</c>; whatever a tenant wrote.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out RestoreWish? wish)
    {
        wish = null;
        if (PointId.TryParse(text, out var point))
        {
            wish = new RestoreWish(point, null, default);
        }
        else if (text.Split('@') is [var id, var time] && Guid.TryParseExact(id, "D", out var disk) && TryTime(time, out var at))
        {
            wish = new RestoreWish(null, disk.ToString("D"), at);
        }

        return wish is not null;
    }

    /// <summary>A time without an offset is UTC, as the services write theirs.</summary>
    private static bool TryTime(string text, out DateTimeOffset at)
    {
        at = DateTimeOffset.MaxValue;
        return text == Newest
            || DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out at);
    }
}
