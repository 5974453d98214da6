using System.Security.Cryptography;
using System.Text;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Schedule;

/// <summary>When a policy wants its images backed up.</summary>
/// <param name="At">The time of day.</param>
/// <param name="Jitter">How far an image's turn is moved from it, either way.</param>
/// <param name="Days">The days of the week.</param>
public sealed record ScheduleRule(TimeOnly At, TimeSpan Jitter, IReadOnlyCollection<DayOfWeek> Days);

/// <summary>
/// Says whose turn it is. Pure: an image's turn on a day hangs on its name and the rule alone, so any number of workers agree on it; turns that
/// were missed come once.
/// </summary>
public static class SchedulePlanner
{
    /// <summary>The last turn of an image in the time after <paramref name="last"/> up to <paramref name="now"/>; null where there was none.</summary>
    public static DateTimeOffset? LastTurn(ScheduleRule rule, ImageSpec image, DateTimeOffset last, DateTimeOffset now, TimeZoneInfo zone) =>
        LastTurn(rule, image.ToString(), last, now, zone);

    /// <summary>The same of anything that has a name: a server, by its id.</summary>
    public static DateTimeOffset? LastTurn(ScheduleRule rule, string name, DateTimeOffset last, DateTimeOffset now, TimeZoneInfo zone)
    {
        // A turn may be moved over midnight by its jitter, so the day after counts too. Nothing older than eight days can be the last turn of a week.
        var today = DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(now, zone).DateTime);
        for (var back = -1; back <= 8; back++)
        {
            var day = today.AddDays(-back);
            if (!rule.Days.Contains(day.DayOfWeek))
            {
                continue;
            }

            var turn = At(day, rule.At, zone) + Offset(rule.Jitter, name);
            if (turn <= now)
            {
                return turn > last ? turn : null;
            }
        }

        return null;
    }

    private static DateTimeOffset At(DateOnly day, TimeOnly time, TimeZoneInfo zone)
    {
        var local = day.ToDateTime(time);

        // An hour that a clock leaps over has no turn of its own: the hour after it has.
        return zone.IsInvalidTime(local) ? At(day, time.AddHours(1), zone) : new DateTimeOffset(local, zone.GetUtcOffset(local));
    }

    private static TimeSpan Offset(TimeSpan jitter, string name)
    {
        var hash = BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        return TimeSpan.FromSeconds(Math.Round(jitter.TotalSeconds * ((2.0 * hash / uint.MaxValue) - 1)));
    }
}
