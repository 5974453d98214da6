using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>How long a disk's points are kept: a point goes only if every rule lets it go. Without any rule nothing goes.</summary>
/// <param name="Policies">The policies that say so, by name.</param>
/// <param name="Rules">The rules.</param>
/// <param name="MinAge">What is younger stays, whatever the rules say.</param>
public sealed record RotationRule(IReadOnlyList<string> Policies, IReadOnlyList<IRetentionRule> Rules, TimeSpan MinAge)
{
    /// <summary>True where points go one by one, and what stands on them is made independent; false where only whole cycles go.</summary>
    public bool Consolidates => Rules.Any(r => r is not CycleRule);
}

/// <summary>What is known when a disk is rotated.</summary>
/// <param name="Points">The disk's points.</param>
/// <param name="Rule">How long they are kept; null: all stay.</param>
/// <param name="Whole">The points, of this or other disks, whose chain is whole.</param>
/// <param name="InUse">Points that a running increment, or another disk's point, stands on.</param>
/// <param name="Pins">The pins in force.</param>
/// <param name="Now">The time.</param>
public sealed record RotationQuestion(
    IReadOnlyList<RotationPoint> Points, RotationRule? Rule, IReadOnlySet<PointId> Whole, IReadOnlySet<PointId> InUse,
    IReadOnlyDictionary<PointId, Pin> Pins, DateTimeOffset Now);

/// <summary>What happens to a point, and why.</summary>
/// <param name="Point">The point.</param>
/// <param name="Keep">True: it stays.</param>
/// <param name="Reasons">Why, for people; at least one.</param>
public sealed record RotationVerdict(RotationPoint Point, bool Keep, IReadOnlyList<string> Reasons);

/// <summary>What a disk's rotation will do.</summary>
/// <param name="Verdicts">The verdicts on its points, oldest first.</param>
/// <param name="Consolidate">The points that stay and stand on one that goes, oldest first: they are made independent before anything goes.</param>
/// <param name="Refusal">Why nothing of the disk may go, as an error; null where it may.</param>
public sealed record RotationPlan(IReadOnlyList<RotationVerdict> Verdicts, IReadOnlyList<PointId> Consolidate, RbdBackupException? Refusal);

/// <summary>Decides which points of a disk go, and says why of each. Pure.</summary>
public static class RotatePlanner
{
    /// <summary>How far the clocks of two healthy hosts may differ.</summary>
    private static readonly TimeSpan ClockSlack = TimeSpan.FromMinutes(5);

    /// <summary>The plan for a disk.</summary>
    public static RotationPlan Plan(RotationQuestion question)
    {
        var points = question.Points.OrderBy(p => p.Created).ThenBy(p => p.Point).ToList();
        question = question with { Points = points };
        var (keeps, drops) = (points.ToDictionary(p => p.Point, _ => new List<string>()), points.ToDictionary(p => p.Point, _ => new List<string>()));
        var refusal = WhyRefused(question);
        foreach (var point in refusal is null ? [] : points)
        {
            keeps[point.Point].Add("nothing of this disk goes: its newest point lies in the future");
        }

        AskRules(question, keeps, drops);
        AskMinimums(question, keeps);
        KeepBases(question, keeps);
        var verdicts = points.Select(p => keeps[p.Point].Count > 0 ? new RotationVerdict(p, true, keeps[p.Point]) : new(p, false, drops[p.Point])).ToList();
        var going = verdicts.Where(v => !v.Keep).Select(v => v.Point.Point).ToHashSet();
        return new RotationPlan(
            verdicts, [.. verdicts.Where(v => v.Keep && v.Point.Needs is { } needs && going.Contains(needs.Point)).Select(v => v.Point.Point)], refusal);
    }

    /// <summary>With a wrong clock, here or where the point was made, all that is old looks young, or the other way round.</summary>
    private static RbdBackupException? WhyRefused(RotationQuestion question) =>
        question.Points is [.., var newest] && newest.Created > question.Now + ClockSlack
            ? new RbdBackupException(
                ErrorKind.Refused,
                $"point {newest.Point} of {Keys.ParseDisk(newest.Disk).Image} is from {newest.Created.UtcDateTime:yyyy-MM-dd HH:mm} UTC, which lies in the future: "
                + "a clock is wrong, and nothing of this disk goes",
                "Set the clock of this host right. If the host that made the point was wrong, prune the point, or wait until its time has come.")
            : null;

    private static void AskRules(RotationQuestion question, Dictionary<PointId, List<string>> keeps, Dictionary<PointId, List<string>> drops)
    {
        if (question.Rule is not { Rules.Count: > 0 } rule)
        {
            question.Points.ToList().ForEach(p => keeps[p.Point].Add("no policy says how long it is kept"));
            return;
        }

        foreach (var words in rule.Rules.Select(r => r.Judge(question)))
        {
            foreach (var (point, word) in question.Points.Zip(words))
            {
                (word.Keep ? keeps : drops)[point.Point].Add(word.Why);
            }
        }
    }

    /// <summary>What holds whatever the rules say.</summary>
    private static void AskMinimums(RotationQuestion question, Dictionary<PointId, List<string>> keeps)
    {
        var good = question.Points.LastOrDefault(p => question.Whole.Contains(p.Point));
        foreach (var point in question.Points)
        {
            if (question.Rule is { } rule && question.Now - point.Created < rule.MinAge)
            {
                keeps[point.Point].Add($"younger than keep_min_age, {Spans.Text(rule.MinAge)}");
            }

            if (question.Pins.TryGetValue(point.Point, out var pin))
            {
                keeps[point.Point].Add($"pinned until {pin.Until?.ToString("yyyy-MM-dd HH:mm zzz")}: {pin.Why}");
            }

            if (question.InUse.Contains(point.Point))
            {
                keeps[point.Point].Add("an increment stands on it");
            }

            if (point == good)
            {
                keeps[point.Point].Add("the last good point");
            }
        }
    }

    /// <summary>
    /// What a kept point stands on stays, down to its full; unless points go one by one, and the kept one can be made independent. What a pinned
    /// point stands on stays in any case.
    /// </summary>
    private static void KeepBases(RotationQuestion question, Dictionary<PointId, List<string>> keeps)
    {
        var byId = question.Points.ToDictionary(p => p.Point);
        foreach (var kept in question.Points.Where(p => keeps[p.Point].Count > 0).ToList())
        {
            var pinned = question.Pins.ContainsKey(kept.Point);
            for (var at = kept; MustKeepBase(at) && at.Needs is { } b && byId.TryGetValue(b.Point, out var below); at = below)
            {
                var reason = pinned ? $"{kept.Point}, which is pinned, stands on it" : $"{at.Point} stands on it";
                if (keeps[below.Point].Contains(reason) || (!pinned && keeps[below.Point].Count > 0))
                {
                    break;
                }

                keeps[below.Point].Add(reason);
            }

            bool MustKeepBase(RotationPoint point) => pinned || question.Rule?.Consolidates != true || !question.Whole.Contains(point.Point);
        }
    }
}
