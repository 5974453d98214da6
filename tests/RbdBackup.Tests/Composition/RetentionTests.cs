using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Tests.Composition;

/// <summary>Which policies' rules hold for a disk, and when its next full comes.</summary>
public sealed class RetentionTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Without_a_word_of_configuration_three_day_cycles_are_kept_twice()
    {
        foreach (var policy in new[] { null, "daily" })
        {
            Assert.Equal(new CycleRule(3, 2), Assert.Single(Rule("", Point(policy))!.Rules));
            Assert.Equal(3, Retention("").FullEvery(policy));
        }

        Assert.Equal(new CycleRule(28, 2), Assert.Single(Rule("", Point("weekly"))!.Rules));
    }

    [Fact]
    public void Keep_rules_take_the_place_of_cycles_and_fulls_come_no_more()
    {
        const string text = "[policy:gold]\nkeep_daily = 7\nkeep_yearly = 3\nkeep_within = 36h\nkeep_min_age = 1d\n";
        var rule = Rule(text, Point("gold"))!;
        Assert.Equal([new WithinRule(TimeSpan.FromHours(36)), new PeriodRule(Period.Day, 7, TimeZoneInfo.Utc), new PeriodRule(Period.Year, 3, TimeZoneInfo.Utc)], rule.Rules);
        Assert.Equal((TimeSpan.FromDays(1), true), (rule.MinAge, rule.Consolidates));
        Assert.Equal(["gold"], rule.Policies);
        Assert.Null(Retention(text).FullEvery("gold"));
        Assert.Equal(30, Retention(text + "full_every = 30\n").FullEvery("gold"));
        Assert.Equal(3, Retention(text).FullEvery("daily"));
    }

    [Fact]
    public void Cycles_count_beside_keep_rules_where_the_policy_says_how_many()
    {
        const string text = "[policy:gold]\nkeep_monthly = 12\nkeep_cycles = 4\ncycle_days = 7\n";
        Assert.Equal([new CycleRule(7, 4), new PeriodRule(Period.Month, 12, TimeZoneInfo.Utc)], Rule(text, Point("gold"))!.Rules);
        Assert.Equal(7, Retention(text).FullEvery("gold"));
    }

    [Fact]
    public void What_rotation_says_holds_for_every_policy_that_does_not_say_it()
    {
        const string text = "[rotation]\nkeep_last = 5\nkeep_cycles = 9\n[policy:own]\nkeep_last = 2\n[policy:cycles]\nkeep_cycles = 2\nkeep_last = 0\n";
        Assert.Equal([new LastRule(5)], Rule(text, Point(null))!.Rules);
        Assert.Equal([new LastRule(5)], Rule(text, Point("daily"))!.Rules);
        Assert.Equal([new LastRule(2)], Rule(text, Point("own"))!.Rules);
        Assert.Equal([new CycleRule(3, 2)], Rule(text, Point("cycles"))!.Rules);
    }

    [Fact]
    public void The_newest_point_that_a_policy_made_says_by_which_one_and_a_point_by_hand_changes_nothing()
    {
        const string text = "[policy:gold]\nkeep_yearly = 10\n[policy:off]\nenabled = false\n";
        Assert.Equal(["gold"], Rule(text, Point("daily"), Point("gold"), Point(null))!.Policies);
        Assert.Equal(["daily"], Rule(text, Point("gold"), Point("daily"), Point(null))!.Policies);
        Assert.Null(Rule(text, Point("gold"), Point("forgotten")));
        Assert.Null(Rule(text, Point("gold"), Point("off")));
        Assert.Null(Rule(text, Point("none")));
    }

    [Fact]
    public void A_policy_that_names_the_image_comes_first_then_one_that_names_the_project_and_several_hold_together()
    {
        const string text = """
            [policy:a]
            for_image = vms/d?sk, other/*
            keep_last = 1
            [policy:b]
            for_image = vms/*
            keep_last = 2
            keep_min_age = 2d
            [policy:c]
            for_project = p1, p2
            keep_last = 3
            [policy:off]
            for_image = vms/*
            enabled = false
            """;
        var both = Rule(text, Point("daily", "p1"))!;
        Assert.Equal(["a", "b"], both.Policies);
        Assert.Equal([new LastRule(1), new LastRule(2)], both.Rules);
        Assert.Equal(TimeSpan.FromDays(2), both.MinAge);
        Assert.Equal(["b"], Rule(text, Point("daily", "p1", "vms/dissk"))!.Policies);
        Assert.Equal(["c"], Rule(text, Point("daily", "p1", "x/disk"), Point("daily", null, "x/disk"))!.Policies);
        Assert.Equal(["daily"], Rule(text, Point("daily", "p3", "x/disk"))!.Policies);
    }

    private Retention Retention(string text) => new(_folder.Load(text).Settings, TimeZoneInfo.Utc);

    private RotationRule? Rule(string text, params RotationPoint[] points) => Retention(text).RuleOf(points);

    private static RotationPoint Point(string? policy, string? project = null, string image = "vms/disk") => new(
        PointId.New(DateTimeOffset.UnixEpoch), Keys.Disk("fsid", ImageSpec.Parse(image)), DateTimeOffset.UnixEpoch, PointKind.Full, null, DateTimeOffset.UnixEpoch, policy, project);
}
