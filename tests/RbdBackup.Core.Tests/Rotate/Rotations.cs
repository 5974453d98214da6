using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>Points and rules for the planner, made short.</summary>
internal static class Rotations
{
    public static readonly DateTimeOffset Start = new(2026, 3, 2, 1, 0, 0, TimeSpan.Zero);

    public static string Disk { get; } = TestRepository.Disk().Key;

    public static RotationRule Cycles(int days, int keep) => Rule(new CycleRule(days, keep));

    public static RotationRule Rule(params IRetentionRule[] rules) => new(["a"], rules, TimeSpan.Zero);

    public static PeriodRule Newest(Period period, int count, TimeZoneInfo? zone = null) => new(period, count, zone ?? TimeZoneInfo.Utc);

    public static RotationPoint Point(DateTimeOffset at, RotationPoint? below) => new(
        PointId.New(at), Disk, at, below is null ? PointKind.Full : PointKind.Increment, below is null ? null : new PointBase(below.Point, Disk, 4), at, "a", null);

    /// <summary>A full and increments, one behind the other.</summary>
    public static List<RotationPoint> Chain(int length, DateTimeOffset from, TimeSpan? step = null)
    {
        var chain = new List<RotationPoint>();
        for (var n = 0; n < length; n++)
        {
            chain.Add(Point(from + (n * (step ?? TimeSpan.FromHours(1))), n == 0 ? null : chain[^1]));
        }

        return chain;
    }

    public static RotationQuestion Question(IReadOnlyList<RotationPoint> points, RotationRule? rule, DateTimeOffset now) =>
        new(points, rule, RotationPoint.Whole(points), new HashSet<PointId>(), new Dictionary<PointId, Pin>(), now);

    public static IReadOnlyList<RotationVerdict> Plan(IReadOnlyList<RotationPoint> points, RotationRule? rule, DateTimeOffset now, params PointId[] inUse) =>
        RotatePlanner.Plan(Question(points, rule, now) with { InUse = inUse.ToHashSet() }).Verdicts;

    public static Pin Pin(RotationPoint point, DateTimeOffset until) => new(1, point.Point, point.Disk, 1, point.Created, until, "the auditors", "root");

    /// <summary>What is left after a rotation: what stood on a point that went stands alone.</summary>
    public static List<RotationPoint> CarryOut(IReadOnlyList<RotationPoint> before, RotationPlan plan)
    {
        var byId = before.ToDictionary(p => p.Point);
        DateTimeOffset StartOf(RotationPoint point) => point.Needs is { } b ? StartOf(byId[b.Point]) : point.ChainStart;
        return [.. plan.Verdicts.Where(v => v.Keep).Select(v => plan.Consolidate.Contains(v.Point.Point) ? v.Point with { Needs = null, ChainStart = StartOf(v.Point) } : v.Point)];
    }
}
