using FsCheck.Fluent;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Tests.Diff;

namespace RbdBackup.Core.Tests.Rotate;

public sealed class RotatePlannerTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 2, 1, 0, 0, TimeSpan.Zero);
    private static readonly HashSet<PointId> Nobody = [];

    /// <summary>One backup a day; the points that are there after the day's backup and rotation, by the day that each was made. A full is F.</summary>
    [Theory]
    [InlineData(2, "F0|F0 1|F0 1 2|F0 1 2 F3|F0 1 2 F3 4|F0 1 2 F3 4 5|F3 4 5 F6|F3 4 5 F6 7|F3 4 5 F6 7 8|F6 7 8 F9|F6 7 8 F9 10|F6 7 8 F9 10 11|F9 10 11 F12|F9 10 11 F12 13")]
    [InlineData(1, "F0|F0 1|F0 1 2|F3|F3 4|F3 4 5|F6|F6 7|F6 7 8|F9|F9 10|F9 10 11|F12|F12 13")]
    public void Three_day_cycles_day_by_day(int keep, string expected)
    {
        var points = new List<Manifest>();
        var days = new List<string>();
        for (var day = 0; day < 14; day++)
        {
            // The hour wanders, as a schedule's jitter makes it.
            var at = Start.AddDays(day).AddMinutes(day * 37 % 90);
            points.Add(Point(at, day % 3 == 0 ? null : points[^1]));
            points = [.. RotatePlanner.Plan(points, new RotationRule(3, keep), Nobody, at).Where(v => v.Keep).Select(v => v.Point)];
            days.Add(string.Join(' ', points.Select(p => (p.Base is null ? "F" : "") + (int)(p.Created - Start).TotalDays)));
        }

        Assert.Equal(expected, string.Join('|', days));
    }

    [Fact]
    public void Nothing_is_dropped_without_a_rule_and_nothing_planned_without_points()
    {
        var points = Chain(3, Start).Concat(Chain(3, Start.AddDays(50))).Concat(Chain(1, Start.AddDays(90))).ToList();
        Assert.All(RotatePlanner.Plan(points, null, Nobody, Start.AddDays(365 * 9)), v => Assert.True(v.Keep));
        Assert.Empty(RotatePlanner.Plan([], new RotationRule(3, 2), Nobody, Start));
    }

    [Fact]
    public void Without_a_later_full_a_cycle_stays_however_old()
    {
        var verdicts = RotatePlanner.Plan(Chain(5, Start), new RotationRule(3, 1), Nobody, Start.AddDays(365 * 1));
        Assert.All(verdicts, v => Assert.True(v.Keep));
        Assert.Contains("the last good point", verdicts[^1].Reasons);
    }

    [Fact]
    public void A_full_that_was_asked_for_in_between_ends_no_cycle_early()
    {
        Manifest[] points = [.. Chain(2, Start), .. Chain(2, Start.AddDays(2)), .. Chain(1, Start.AddDays(4))];
        Assert.All(RotatePlanner.Plan(points, new RotationRule(3, 2), Nobody, Start.AddDays(4)), v => Assert.True(v.Keep));
        Assert.Equal([false, false, true, true, true], RotatePlanner.Plan(points, new RotationRule(3, 2), Nobody, Start.AddDays(6)).Select(v => v.Keep));
    }

    [Fact]
    public void What_an_increment_stands_on_stays_down_to_its_full()
    {
        Manifest[] points = [.. Chain(4, Start), .. Chain(1, Start.AddDays(10)), .. Chain(1, Start.AddDays(20))];
        var verdicts = RotatePlanner.Plan(points, new RotationRule(3, 1), new HashSet<PointId> { points[1].Point }, Start.AddDays(20));
        Assert.Equal([true, true, false, false, false, true], verdicts.Select(v => v.Keep));
        Assert.Contains("an increment stands on it", verdicts[1].Reasons);
        Assert.Contains($"{points[1].Point} stands on it", verdicts[0].Reasons);
    }

    [Fact]
    public void A_chain_without_its_full_is_no_good_point_and_never_pushes_one_out()
    {
        var broken = Chain(3, Start.AddDays(10))[1..];
        Manifest[] points = [.. Chain(2, Start), .. broken];
        var verdicts = RotatePlanner.Plan(points, new RotationRule(3, 1), Nobody, Start.AddDays(30));
        Assert.Equal([true, true, true, true], verdicts.Select(v => v.Keep));
        Assert.Contains("the last good point", verdicts[1].Reasons);
    }

    [Fact]
    public void Points_from_the_future_and_of_one_moment_harm_nothing()
    {
        Manifest[] points = [.. Chain(2, Start), Point(Start, null), .. Chain(1, Start.AddDays(365 * 1))];
        Assert.All(RotatePlanner.Plan(points, new RotationRule(3, 2), Nobody, Start.AddDays(1)), v => Assert.True(v.Keep));
    }

    [Fact]
    public void Whatever_there_is_the_last_good_point_stays_and_kept_chains_are_whole()
    {
        var cases =
            from seed in Gen.Choose(0, int.MaxValue)
            from days in Gen.Choose(1, 5)
            from keep in Gen.Choose(1, 4)
            select (seed, rule: new RotationRule(days, keep));
        Diffs.Check(cases, 400, c =>
        {
            var random = new Random(c.seed);
            var points = new List<Manifest>();
            for (var n = random.Next(1, 25); n > 0; n--)
            {
                var below = points.Count == 0 || random.Next(4) == 0 ? null : points[random.Next(Math.Max(0, points.Count - 3), points.Count)];
                points.Add(Point(Start.AddHours(points.Count * 20).AddHours(random.Next(-30, 30)), below));
            }

            points.RemoveAll(_ => random.Next(12) == 0);
            var inUse = points.Where(_ => random.Next(10) == 0).Select(p => p.Point).ToHashSet();
            var verdicts = RotatePlanner.Plan(points, c.rule, inUse, Start.AddDays(random.Next(60)));
            var known = points.ToDictionary(p => p.Point);
            var kept = verdicts.Where(v => v.Keep).Select(v => v.Point.Point).ToHashSet();

            Assert.Equal(points.Count, verdicts.Count);
            Assert.All(verdicts, v => Assert.NotEmpty(v.Reasons));
            Assert.Superset(inUse, kept);
            Assert.All(points, p => Assert.True(p.Base is null || !kept.Contains(p.Point) || !known.ContainsKey(p.Base.Point) || kept.Contains(p.Base.Point)));
            var good = points.Where(p => IsWhole(p, known)).OrderBy(p => p.Created).ThenBy(p => p.Point).LastOrDefault();
            Assert.True(good is null || kept.Contains(good.Point));
        });
    }

    private static bool IsWhole(Manifest point, Dictionary<PointId, Manifest> known) =>
        point.Base is null || (known.TryGetValue(point.Base.Point, out var below) && IsWhole(below, known));

    private static List<Manifest> Chain(int length, DateTimeOffset from)
    {
        var chain = new List<Manifest>();
        for (var n = 0; n < length; n++)
        {
            chain.Add(Point(from.AddHours(n), n == 0 ? null : chain[^1]));
        }

        return chain;
    }

    private static Manifest Point(DateTimeOffset at, Manifest? below) => TestRepository.Manifest(new PlanHead
    {
        Format = RepositoryFormat.Version,
        Point = PointId.New(at),
        Disk = TestRepository.Disk(),
        Snapshot = new PointSnapshot(5, "snap", true),
        Created = at,
        Kind = below is null ? PointKind.Full : PointKind.Increment,
        Reason = "a test",
        Base = below is null ? null : new PointBase(below.Point, below.Disk.Key, 4),
        Size = 1,
        Cut = TestRepository.SmallCut,
        Codec = "none",
        Tool = "test",
    });
}
