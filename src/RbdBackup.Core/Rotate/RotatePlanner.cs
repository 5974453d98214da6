using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>How long points are kept.</summary>
/// <param name="CycleDays">The days of a cycle.</param>
/// <param name="KeepCycles">The cycles that are kept, the present one among them; at least 1.</param>
public sealed record RotationRule(int CycleDays, int KeepCycles);

/// <summary>What happens to a point, and why.</summary>
/// <param name="Point">The point.</param>
/// <param name="Keep">True: it stays.</param>
/// <param name="Reasons">Why, for people; at least one.</param>
public sealed record RotationVerdict(Manifest Point, bool Keep, IReadOnlyList<string> Reasons);

/// <summary>
/// Three-day cycles and their like: a cycle (a full and what stands on it) goes when enough later fulls are committed and it is old enough. No rule,
/// nothing goes. Pure.
/// </summary>
public static class RotatePlanner
{
    // The schedule's hour wanders by its jitter; a cycle that is due must not wait a day for some minutes.
    private static readonly TimeSpan Slack = TimeSpan.FromHours(6);

    /// <summary>The verdicts on a disk's points, oldest first.</summary>
    /// <param name="points">The disk's points.</param>
    /// <param name="rule">How long they are kept; null: all stay.</param>
    /// <param name="inUse">Points that a running increment, or another disk's point, stands on.</param>
    /// <param name="now">The time.</param>
    public static IReadOnlyList<RotationVerdict> Plan(
        IReadOnlyList<Manifest> points, RotationRule? rule, IReadOnlySet<PointId> inUse, DateTimeOffset now)
    {
        var ordered = points.OrderBy(p => p.Created).ThenBy(p => p.Point).ToList();
        var roots = Roots(ordered);
        var cycles = ordered.GroupBy(p => roots[p.Point]).OrderBy(c => c.First().Created).ToList();
        var whole = PrunePlanner.Whole(ordered);
        var good = ordered.LastOrDefault(p => whole.Contains(p.Point));
        var reasons = ordered.ToDictionary(p => p.Point, _ => new List<string>());
        var drops = new Dictionary<PointId, string>();
        for (var i = 0; i < cycles.Count; i++)
        {
            var (keep, why) = Judge(cycles[i].First(), laterFulls: cycles.Skip(i + 1).Count(c => c.First().Base is null), rule, now);
            foreach (var point in cycles[i])
            {
                (keep ? reasons[point.Point] : []).Add(why);
                drops[point.Point] = why;
            }
        }

        foreach (var point in ordered.Where(p => inUse.Contains(p.Point)))
        {
            reasons[point.Point].Add("an increment stands on it");
        }

        if (good is not null)
        {
            reasons[good.Point].Add("the last good point");
        }

        KeepBases(ordered, reasons);
        return [.. ordered.Select(p => new RotationVerdict(p, reasons[p.Point].Count > 0, reasons[p.Point].Count > 0 ? reasons[p.Point] : [drops[p.Point]]))];
    }

    private static (bool Keep, string Why) Judge(Manifest full, int laterFulls, RotationRule? rule, DateTimeOffset now)
    {
        if (rule is null)
        {
            return (true, "no policy says how long it is kept");
        }

        if (laterFulls < rule.KeepCycles)
        {
            return (true, laterFulls == 0 ? "the present cycle" : $"one of the last {rule.KeepCycles} cycles");
        }

        var days = rule.CycleDays * rule.KeepCycles;
        return now - full.Created < TimeSpan.FromDays(days) - Slack
            ? (true, $"its cycle is younger than {days} days")
            : (false, $"{laterFulls} later cycles are committed, and its own is older than {days} days");
    }

    /// <summary>The full (or, in a broken chain, the last point found) that each point stands on.</summary>
    private static Dictionary<PointId, PointId> Roots(List<Manifest> points)
    {
        var byId = points.ToDictionary(p => p.Point);
        var roots = new Dictionary<PointId, PointId>();
        foreach (var point in points)
        {
            var at = point;
            for (var hops = 0; at.Base is { } b && byId.TryGetValue(b.Point, out var below) && hops < points.Count; hops++)
            {
                at = below;
            }

            roots[point.Point] = at.Point;
        }

        return roots;
    }

    /// <summary>What a kept point stands on stays.</summary>
    private static void KeepBases(List<Manifest> points, Dictionary<PointId, List<string>> reasons)
    {
        var byId = points.ToDictionary(p => p.Point);
        foreach (var kept in points.Where(p => reasons[p.Point].Count > 0).ToList())
        {
            for (var at = kept; at.Needs is { } b && byId.TryGetValue(b.Point, out var below) && reasons[below.Point].Count == 0; at = below)
            {
                reasons[below.Point].Add($"{at.Point} stands on it");
            }
        }
    }
}
