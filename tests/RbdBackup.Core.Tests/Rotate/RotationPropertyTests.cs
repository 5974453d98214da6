using FsCheck.Fluent;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Tests.Diff;
using static RbdBackup.Core.Tests.Rotate.Rotations;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>What holds of every rotation, whatever points and rules there are: random chains with branches, holes, loose ends, pins and rules.</summary>
public sealed class RotationPropertyTests
{
    private const int Cases = 600;

    [Fact]
    public void The_newest_good_point_stays_and_every_point_has_its_reasons() => Check((random, question) =>
    {
        var plan = RotatePlanner.Plan(question);
        Assert.Equal(question.Points.OrderBy(p => p.Created).ThenBy(p => p.Point), plan.Verdicts.Select(v => v.Point));
        Assert.All(plan.Verdicts, v => Assert.NotEmpty(v.Reasons));
        var good = plan.Verdicts.LastOrDefault(v => question.Whole.Contains(v.Point.Point));
        Assert.True(good?.Keep ?? true);
        Assert.All(plan.Verdicts.Where(v => question.InUse.Contains(v.Point.Point) || question.Pins.ContainsKey(v.Point.Point)), v => Assert.True(v.Keep));
        Assert.All(plan.Verdicts.Where(v => question.Now - v.Point.Created < question.Rule!.MinAge), v => Assert.True(v.Keep));
    });

    [Fact]
    public void What_a_kept_point_stands_on_is_kept_or_it_is_made_independent_first() => Check((random, question) =>
    {
        var plan = RotatePlanner.Plan(question);
        var going = plan.Verdicts.Where(v => !v.Keep).Select(v => v.Point.Point).ToHashSet();
        var consolidated = plan.Consolidate.ToHashSet();
        foreach (var kept in plan.Verdicts.Where(v => v.Keep).Select(v => v.Point))
        {
            Assert.Equal(kept.Needs is { } b && going.Contains(b.Point), consolidated.Contains(kept.Point));
        }

        // Only what can be read can be made independent, and only where points go one by one; never a pinned one.
        Assert.Subset(question.Whole.ToHashSet(), consolidated);
        Assert.True(consolidated.Count == 0 || question.Rule!.Consolidates);
        Assert.DoesNotContain(plan.Consolidate, question.Pins.ContainsKey);

        // After it, every point that stayed and was good is good.
        var left = CarryOut(question.Points, plan);
        Assert.Subset(RotationPoint.Whole(left).ToHashSet(), left.Select(p => p.Point).Where(question.Whole.Contains).ToHashSet());
    });

    [Fact]
    public void Another_rule_never_drops_more() => Check((random, question) =>
    {
        var more = question with { Rule = question.Rule! with { Rules = [.. question.Rule!.Rules, AnyRule(random)] } };
        if (question.Rule.Consolidates == more.Rule.Consolidates)
        {
            Assert.Subset(Dropped(question), Dropped(more));
        }
        else
        {
            // Cycles keep bases that would stand alone otherwise; what the rules themselves keep grows here too.
            Assert.DoesNotContain(
                RotatePlanner.Plan(question).Verdicts.Where(v => v.Reasons.Any(r => !r.Contains("stands on it", StringComparison.Ordinal)) && v.Keep),
                v => Dropped(more).Contains(v.Point.Point));
        }
    });

    [Fact]
    public void Without_a_rule_nothing_goes_and_a_pin_or_an_age_never_drops_more() => Check((random, question) =>
    {
        Assert.Empty(Dropped(question with { Rule = null }));
        Assert.Empty(Dropped(question with { Rule = question.Rule! with { Rules = [] } }));
        Assert.Subset(Dropped(question), Dropped(question with { Rule = question.Rule with { MinAge = question.Rule.MinAge + TimeSpan.FromDays(random.Next(20)) } }));
        var pinned = question.Points[random.Next(question.Points.Count)];
        Assert.Subset(Dropped(question), Dropped(question with { Pins = new Dictionary<PointId, Pin>(question.Pins) { [pinned.Point] = Pin(pinned, question.Now.AddDays(1)) } }));
    });

    [Fact]
    public void The_order_in_which_points_are_given_means_nothing_and_a_second_rotation_drops_nothing() => Check((random, question) =>
    {
        var shuffled = question.Points.ToArray();
        random.Shuffle(shuffled);
        Assert.Equivalent(RotatePlanner.Plan(question), RotatePlanner.Plan(question with { Points = shuffled }), strict: true);
        var left = CarryOut(question.Points, RotatePlanner.Plan(question));
        var again = question with { Points = left, Whole = RotationPoint.Whole(left) };
        Assert.True(Dropped(again).Count == 0 || question.Rule!.Rules.OfType<CycleRule>().Any());
    });

    private static HashSet<PointId> Dropped(RotationQuestion question) =>
        [.. RotatePlanner.Plan(question).Verdicts.Where(v => !v.Keep).Select(v => v.Point.Point)];

    private static void Check(Action<Random, RotationQuestion> holds) =>
        Diffs.Check(Gen.Choose(0, int.MaxValue), Cases, seed =>
        {
            var random = new Random(seed);
            holds(random, AnyQuestion(random));
        });

    private static RotationQuestion AnyQuestion(Random random)
    {
        var points = new List<RotationPoint>();
        for (var n = random.Next(2, 30); n > 0; n--)
        {
            var below = points.Count == 0 || random.Next(6) == 0 ? null : points[random.Next(Math.Max(0, points.Count - 3), points.Count)];
            var point = Point(Start.AddHours((points.Count * 20) + random.Next(-30, 30)), below);
            points.Add(below is not null && random.Next(8) == 0 ? point with { Needs = null, ChainStart = below.ChainStart } : point);
        }

        var newest = points[^1];
        points.RemoveAll(p => p != newest && random.Next(15) == 0);
        var rule = new RotationRule(["a"], [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => AnyRule(random))], TimeSpan.FromDays(random.Next(3)));
        return Question(points, rule, points.Max(p => p.Created).AddDays(random.Next(40))) with
        {
            InUse = points.Where(_ => random.Next(12) == 0).Select(p => p.Point).ToHashSet(),
            Pins = points.Where(_ => random.Next(15) == 0).ToDictionary(p => p.Point, p => Pin(p, Start.AddYears(1))),
        };
    }

    private static IRetentionRule AnyRule(Random random) => random.Next(5) switch
    {
        0 => new CycleRule(random.Next(1, 5), random.Next(1, 4)),
        1 => new LastRule(random.Next(1, 6)),
        2 => new WithinRule(TimeSpan.FromHours(random.Next(1, 400))),
        _ => Newest((Period)random.Next(5), random.Next(1, 6)),
    };
}
