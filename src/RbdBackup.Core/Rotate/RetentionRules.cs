using System.Globalization;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Rotate;

/// <summary>What a rule says of a point.</summary>
/// <param name="Keep">True: it stays.</param>
/// <param name="Why">Why, or why the rule lets it go; for people.</param>
public readonly record struct RuleWord(bool Keep, string Why);

/// <summary>
/// A rule that keeps points. Pure. A chain that is broken counts for nothing: what can't be restored never pushes out what can.
/// </summary>
public interface IRetentionRule
{
    /// <summary>The rule's word on each point of a disk, in the question's order: oldest first.</summary>
    IReadOnlyList<RuleWord> Judge(RotationQuestion question);
}

/// <summary>Three-day cycles and their like: a cycle (a full and what stands on it) goes as a whole, when enough later ones are there and it is old enough.</summary>
/// <param name="Days">The days of a cycle.</param>
/// <param name="Keep">The cycles that are kept, the present one among them; at least 1.</param>
public sealed record CycleRule(int Days, int Keep) : IRetentionRule
{
    // The schedule's hour wanders by its jitter; a cycle that is due must not wait a day for some minutes.
    private static readonly TimeSpan Slack = TimeSpan.FromHours(6);

    /// <inheritdoc/>
    public IReadOnlyList<RuleWord> Judge(RotationQuestion question)
    {
        var starts = Starts(question.Points);
        var cycles = question.Points.GroupBy(p => starts[p.Point]).OrderBy(c => c.Key).ToList();
        var words = new Dictionary<PointId, RuleWord>();
        var later = 0;
        foreach (var cycle in Enumerable.Reverse(cycles))
        {
            foreach (var point in cycle)
            {
                words[point.Point] = Judge(cycle.Key, later, question.Now);
            }

            later += cycle.Any(p => question.Whole.Contains(p.Point)) ? 1 : 0;
        }

        return [.. question.Points.Select(p => words[p.Point])];
    }

    private RuleWord Judge(DateTimeOffset start, int later, DateTimeOffset now)
    {
        var days = Days * Keep;
        return later < Keep ? new(true, later == 0 ? "the present cycle" : $"one of the last {Keep} cycles")
            : now - start < TimeSpan.FromDays(days) - Slack ? new(true, $"its cycle is younger than {days} days")
            : new(false, $"{later} later cycles are committed, and its own is older than {days} days");
    }

    /// <summary>When the full was made that each point's chain started with; of a broken chain, the oldest point that is left.</summary>
    private static Dictionary<PointId, DateTimeOffset> Starts(IReadOnlyList<RotationPoint> points)
    {
        var byId = points.ToDictionary(p => p.Point);
        var starts = new Dictionary<PointId, DateTimeOffset>();
        foreach (var point in points)
        {
            var at = point;
            for (var hops = 0; at.Needs is { } b && byId.TryGetValue(b.Point, out var below) && hops < points.Count; hops++)
            {
                at = below;
            }

            starts[point.Point] = at.ChainStart;
        }

        return starts;
    }
}

/// <summary>The last points, whenever they were made.</summary>
/// <param name="Count">How many.</param>
public sealed record LastRule(int Count) : IRetentionRule
{
    /// <inheritdoc/>
    public IReadOnlyList<RuleWord> Judge(RotationQuestion question)
    {
        var words = new RuleWord[question.Points.Count];
        var good = 0;
        for (var i = words.Length - 1; i >= 0; i--)
        {
            words[i] = good < Count ? new(true, $"one of the last {Count}") : new(false, $"not one of the last {Count}");
            good += question.Whole.Contains(question.Points[i].Point) ? 1 : 0;
        }

        return words;
    }
}

/// <summary>All points that are younger than this.</summary>
/// <param name="Age">The age.</param>
public sealed record WithinRule(TimeSpan Age) : IRetentionRule
{
    /// <inheritdoc/>
    public IReadOnlyList<RuleWord> Judge(RotationQuestion question) =>
        [.. question.Points.Select(p => question.Now - p.Created < Age ? new RuleWord(true, $"younger than {Spans.Text(Age)}") : new(false, $"older than {Spans.Text(Age)}"))];
}

/// <summary>A part of the calendar.</summary>
public enum Period
{
    /// <summary>An hour.</summary>
    Hour,

    /// <summary>A day.</summary>
    Day,

    /// <summary>A week as ISO 8601 counts them, from Monday on.</summary>
    Week,

    /// <summary>A month.</summary>
    Month,

    /// <summary>A year.</summary>
    Year,
}

/// <summary>The newest point of each of the last hours, days, weeks, months or years that have points; those without count for nothing.</summary>
/// <param name="Period">What is counted.</param>
/// <param name="Count">How many of them.</param>
/// <param name="Zone">The time zone in which they begin.</param>
public sealed record PeriodRule(Period Period, int Count, TimeZoneInfo Zone) : IRetentionRule
{
    private string Word { get; } = Period.ToString().ToLowerInvariant();

    /// <inheritdoc/>
    public IReadOnlyList<RuleWord> Judge(RotationQuestion question)
    {
        var words = new Dictionary<PointId, RuleWord>();
        var good = 0;
        foreach (var period in Enumerable.Reverse(question.Points).GroupBy(p => Name(p.Created)))
        {
            var counts = good < Count;
            foreach (var point in period)
            {
                words[point.Point] = new(false, counts ? $"not the newest of its {Word}" : $"its {Word} is not one of the last {Count}");
            }

            // A newest point that is broken takes no good one's place: both stay, and the period counts for the good one.
            var newestGood = period.FirstOrDefault(p => question.Whole.Contains(p.Point));
            foreach (var point in counts ? [period.First(), newestGood ?? period.First()] : Array.Empty<RotationPoint>())
            {
                words[point.Point] = new(true, $"the newest of {Word} {period.Key}, one of the last {Count}");
            }

            good += newestGood is null ? 0 : 1;
        }

        return [.. question.Points.Select(p => words[p.Point])];
    }

    private string Name(DateTimeOffset time)
    {
        var local = TimeZoneInfo.ConvertTime(time, Zone);
        return Period switch
        {
            // An hour that comes twice, when clocks are put back, is two hours: the offset tells them apart.
            Period.Hour => local.ToString("yyyy-MM-dd HH:00 zzz", CultureInfo.InvariantCulture),
            Period.Day => local.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            Period.Week => $"{ISOWeek.GetYear(local.DateTime)}-W{ISOWeek.GetWeekOfYear(local.DateTime):D2}",
            Period.Month => local.ToString("yyyy-MM", CultureInfo.InvariantCulture),
            _ => local.ToString("yyyy", CultureInfo.InvariantCulture),
        };
    }
}

/// <summary>Durations for people.</summary>
internal static class Spans
{
    /// <summary>In the greatest unit that divides it: <c>14 days</c>, <c>36 hours</c>, <c>90 minutes</c>.</summary>
    public static string Text(TimeSpan span) =>
        span.Ticks % TimeSpan.TicksPerDay == 0 ? $"{span.Days} days"
        : span.Ticks % TimeSpan.TicksPerHour == 0 ? $"{(long)span.TotalHours} hours"
        : $"{span.TotalMinutes:0.#} minutes";
}
