using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;
using static RbdBackup.Core.Tests.Rotate.Rotations;

namespace RbdBackup.Core.Tests.Rotate;

public sealed class RotatePlannerTests
{
    /// <summary>One backup a day; the points that are there after the day's backup and rotation, by the day that each was made. A full is F.</summary>
    [Theory]
    [InlineData(2, "F0|F0 1|F0 1 2|F0 1 2 F3|F0 1 2 F3 4|F0 1 2 F3 4 5|F3 4 5 F6|F3 4 5 F6 7|F3 4 5 F6 7 8|F6 7 8 F9|F6 7 8 F9 10|F6 7 8 F9 10 11|F9 10 11 F12|F9 10 11 F12 13")]
    [InlineData(1, "F0|F0 1|F0 1 2|F3|F3 4|F3 4 5|F6|F6 7|F6 7 8|F9|F9 10|F9 10 11|F12|F12 13")]
    public void Three_day_cycles_day_by_day(int keep, string expected)
    {
        var points = new List<RotationPoint>();
        var days = new List<string>();
        for (var day = 0; day < 14; day++)
        {
            // The hour wanders, as a schedule's jitter makes it.
            var at = Start.AddDays(day).AddMinutes(day * 37 % 90);
            points.Add(Point(at, day % 3 == 0 ? null : points[^1]));
            points = [.. Plan(points, Cycles(3, keep), at).Where(v => v.Keep).Select(v => v.Point)];
            days.Add(string.Join(' ', points.Select(p => (p.Needs is null ? "F" : "") + (int)(p.Created - Start).TotalDays)));
        }

        Assert.Equal(expected, string.Join('|', days));
    }

    [Fact]
    public void Nothing_is_dropped_without_a_rule_and_nothing_planned_without_points()
    {
        var points = Chain(3, Start).Concat(Chain(3, Start.AddDays(50))).Concat(Chain(1, Start.AddDays(90))).ToList();
        Assert.All(Plan(points, null, Start.AddDays(365 * 9)), v => Assert.True(v.Keep));
        Assert.Empty(Plan([], Cycles(3, 2), Start));
    }

    [Fact]
    public void Without_a_later_full_a_cycle_stays_however_old()
    {
        var verdicts = Plan(Chain(5, Start), Cycles(3, 1), Start.AddDays(365 * 1));
        Assert.All(verdicts, v => Assert.True(v.Keep));
        Assert.Contains("the last good point", verdicts[^1].Reasons);
    }

    [Fact]
    public void A_full_that_was_asked_for_in_between_ends_no_cycle_early()
    {
        RotationPoint[] points = [.. Chain(2, Start), .. Chain(2, Start.AddDays(2)), .. Chain(1, Start.AddDays(4))];
        Assert.All(Plan(points, Cycles(3, 2), Start.AddDays(4)), v => Assert.True(v.Keep));
        Assert.Equal([false, false, true, true, true], Plan(points, Cycles(3, 2), Start.AddDays(6)).Select(v => v.Keep));
    }

    [Fact]
    public void What_an_increment_stands_on_stays_down_to_its_full()
    {
        RotationPoint[] points = [.. Chain(4, Start), .. Chain(1, Start.AddDays(10)), .. Chain(1, Start.AddDays(20))];
        var verdicts = Plan(points, Cycles(3, 1), Start.AddDays(20), points[1].Point);
        Assert.Equal([true, true, false, false, false, true], verdicts.Select(v => v.Keep));
        Assert.Contains("an increment stands on it", verdicts[1].Reasons);
        Assert.Contains($"{points[1].Point} stands on it", verdicts[0].Reasons);
    }

    [Fact]
    public void A_chain_without_its_full_is_no_good_point_and_never_pushes_one_out()
    {
        var broken = Chain(3, Start.AddDays(10))[1..];
        RotationPoint[] points = [.. Chain(2, Start), .. broken];
        var verdicts = Plan(points, Cycles(3, 1), Start.AddDays(30));
        Assert.Equal([true, true, true, true], verdicts.Select(v => v.Keep));
        Assert.Contains("the last good point", verdicts[1].Reasons);
    }

    [Fact]
    public void Points_from_the_future_and_of_one_moment_harm_nothing()
    {
        RotationPoint[] points = [.. Chain(2, Start), Point(Start, null), .. Chain(1, Start.AddDays(365 * 1))];
        Assert.All(Plan(points, Cycles(3, 2), Start.AddDays(1)), v => Assert.True(v.Keep));
    }

    [Fact]
    public void A_disk_whose_newest_point_lies_in_the_future_is_refused_and_loses_nothing()
    {
        RotationPoint[] points = [.. Chain(2, Start), .. Chain(2, Start.AddDays(20)), .. Chain(1, Start.AddDays(41))];
        var plan = RotatePlanner.Plan(Question(points, Cycles(3, 1), Start.AddDays(40)));
        Assert.All(plan.Verdicts, v => Assert.True(v.Keep));
        Assert.Equal(ErrorKind.Refused, plan.Refusal!.Kind);
        Assert.Contains($"point {points[^1].Point} of vms/disk is from 2026-04-12 01:00 UTC, which lies in the future", plan.Refusal.Message, StringComparison.Ordinal);
        Assert.Null(RotatePlanner.Plan(Question(points, Cycles(3, 1), Start.AddDays(41).AddMinutes(-4))).Refusal);
    }

    [Fact]
    public void A_point_that_was_made_independent_begins_no_cycle()
    {
        var cycle = Chain(3, Start, TimeSpan.FromDays(1));
        RotationPoint[] points = [cycle[0], cycle[1] with { Needs = null, ChainStart = cycle[0].Created }, cycle[2], .. Chain(1, Start.AddDays(9))];
        Assert.All(Plan(points, Cycles(3, 2), Start.AddDays(9)), v => Assert.True(v.Keep));
        Assert.Equal([false, false, false, true], Plan(points, Cycles(3, 1), Start.AddDays(9)).Select(v => v.Keep));
    }

    /// <summary>A point every six hours for ten days, all in one chain; the points that stay, by the hour that they were made.</summary>
    [Theory]
    [InlineData("last", 3, "216 222 228 234")]
    [InlineData("hour", 2, "222 228 234")]
    [InlineData("day", 3, "186 210 234")]
    [InlineData("week", 2, "162 234")]
    [InlineData("month", 4, "234")]
    [InlineData("within", 13, "222 228 234")]
    public void Every_rule_keeps_what_its_name_says(string rule, int count, string expected)
    {
        var points = Chain(40, Start, TimeSpan.FromHours(6));
        IRetentionRule asked = rule switch
        {
            "last" => new LastRule(count + 1),
            "within" => new WithinRule(TimeSpan.FromHours(count)),
            _ => Newest(Enum.Parse<Period>(rule, true), rule == "hour" ? count + 1 : count),
        };
        var plan = RotatePlanner.Plan(Question(points, Rule(asked), Start.AddHours(234)));
        Assert.Equal(expected, string.Join(' ', plan.Verdicts.Where(v => v.Keep).Select(v => (int)(v.Point.Created - Start).TotalHours)));
        var kept = plan.Verdicts.Where(v => v.Keep).Select(v => v.Point).ToList();
        Assert.Equal(kept.Where(p => p.Needs is { } b && kept.All(k => k.Point != b.Point)).Select(p => p.Point), plan.Consolidate);
    }

    [Fact]
    public void Days_and_weeks_begin_where_the_time_zone_says_and_an_hour_that_comes_twice_is_two()
    {
        var berlin = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
        var night = new DateTimeOffset(2026, 10, 24, 21, 30, 0, TimeSpan.Zero);
        var points = Chain(8, night, TimeSpan.FromMinutes(30));
        string Kept(Period period, TimeZoneInfo zone) =>
            string.Join(' ', Plan(points, Rule(Newest(period, 9, zone)), night.AddHours(5)).Where(v => v.Keep).Select(v => $"{v.Point.Created:HH:mm}"));
        Assert.Equal("21:30 01:00", Kept(Period.Day, berlin));
        Assert.Equal("23:30 01:00", Kept(Period.Day, TimeZoneInfo.Utc));
        Assert.Equal("21:30 22:30 23:30 00:30 01:00", Kept(Period.Hour, berlin));
        Assert.Equal("01:00", Kept(Period.Week, berlin));
        Assert.Contains("week 2026-W43", Plan(points, Rule(Newest(Period.Week, 1, berlin)), night.AddHours(5))[^1].Reasons[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Buckets_without_points_count_for_nothing()
    {
        RotationPoint[] points = [Point(Start, null), Point(Start.AddDays(100), null), Point(Start.AddDays(300), null)];
        Assert.All(Plan(points, Rule(Newest(Period.Day, 3)), Start.AddDays(365)), v => Assert.True(v.Keep));
        Assert.Equal([false, true, true], Plan(points, Rule(Newest(Period.Day, 2)), Start.AddDays(365)).Select(v => v.Keep));
    }

    [Fact]
    public void A_broken_point_takes_no_good_ones_place_in_any_rule()
    {
        RotationPoint[] points = [.. Chain(2, Start), .. Chain(3, Start.AddDays(1))[1..]];
        Assert.Equal([false, true, true, true], Plan(points, Rule(new LastRule(1)), Start.AddDays(30)).Select(v => v.Keep));
        Assert.Equal(["its day is not one of the last 1"], Plan([.. Chain(1, Start.AddDays(-1)), .. points], Rule(Newest(Period.Day, 1)), Start.AddDays(30))[0].Reasons);
        Assert.Equal([false, true, true, true], Plan(points, Rule(Newest(Period.Day, 1)), Start.AddDays(30)).Select(v => v.Keep));
    }

    [Fact]
    public void A_broken_point_that_stays_keeps_what_it_stands_on_since_it_can_not_stand_alone()
    {
        var broken = Chain(4, Start)[1..];
        RotationPoint[] points = [.. broken, Point(Start.AddDays(1), null)];
        var plan = RotatePlanner.Plan(Question(points, Rule(new WithinRule(TimeSpan.FromMinutes(1))), Start.AddDays(30)) with { InUse = new HashSet<PointId> { broken[^1].Point } });
        Assert.All(plan.Verdicts, v => Assert.True(v.Keep));
        Assert.Empty(plan.Consolidate);
    }

    [Fact]
    public void A_point_goes_only_if_every_rule_lets_it_go_and_each_says_why()
    {
        var points = Chain(10, Start, TimeSpan.FromDays(1));
        var rule = Rule(new LastRule(2), Newest(Period.Week, 2)) with { MinAge = TimeSpan.FromDays(3) };
        var verdicts = Plan(points, rule, Start.AddDays(9));
        Assert.Equal([false, false, false, false, false, false, true, true, true, true], verdicts.Select(v => v.Keep));
        Assert.Equal(["not one of the last 2", "not the newest of its week"], verdicts[0].Reasons);
        Assert.Equal(["the newest of week 2026-W10, one of the last 2"], verdicts[6].Reasons);
        Assert.Equal(["younger than keep_min_age, 3 days"], verdicts[7].Reasons);
        Assert.Equal(["one of the last 2", "the newest of week 2026-W11, one of the last 2", "younger than keep_min_age, 3 days", "the last good point"], verdicts[9].Reasons);
    }

    [Fact]
    public void Cycles_beside_other_rules_keep_both_and_what_stays_of_an_old_cycle_stands_alone()
    {
        RotationPoint[] points = [.. Chain(3, Start, TimeSpan.FromDays(1)), .. Chain(3, Start.AddDays(30), TimeSpan.FromDays(1)), .. Chain(1, Start.AddDays(60))];
        var plan = RotatePlanner.Plan(Question(points, Rule(new CycleRule(3, 1), Newest(Period.Month, 12)), Start.AddDays(60)));
        Assert.Equal([false, false, true, false, false, true, true], plan.Verdicts.Select(v => v.Keep));
        Assert.Equal([points[2].Point, points[5].Point], plan.Consolidate);
    }

    [Fact]
    public void A_pinned_point_and_what_it_stands_on_stay_and_stay_as_they_are()
    {
        var points = Chain(6, Start, TimeSpan.FromDays(1));
        var question = Question(points, Rule(new LastRule(1)), Start.AddDays(9)) with
        {
            Pins = new Dictionary<PointId, Pin> { [points[2].Point] = Pin(points[2], Start.AddDays(20)) },
        };
        var plan = RotatePlanner.Plan(question);
        Assert.Equal([true, true, true, false, false, true], plan.Verdicts.Select(v => v.Keep));
        Assert.Equal(["pinned until 2026-03-22 01:00 +00:00: the auditors"], plan.Verdicts[2].Reasons);
        Assert.Equal([$"{points[2].Point}, which is pinned, stands on it"], plan.Verdicts[0].Reasons);
        Assert.Equal([points[5].Point], plan.Consolidate);
    }
}
