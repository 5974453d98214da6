using RbdBackup.Core.Model;
using RbdBackup.Core.Schedule;

namespace RbdBackup.EndToEnd.Worker;

/// <summary>Whose turn it is, and that each turn comes once.</summary>
public sealed class ScheduleTests(Mini mini) : IClassFixture<Mini>
{
    private static readonly ImageSpec Image = new("vms", "a");
    private static readonly DayOfWeek[] EveryDay = Enum.GetValues<DayOfWeek>();
    private static readonly DateTimeOffset Noon = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0, 13, null)]
    [InlineData(0, 14, 14)]
    [InlineData(2, 37, null)]
    [InlineData(0, 38, 38)]
    [InlineData(0, 200, 182)]
    public void The_last_turn_between_two_times_comes_once(int lastHour, int nowHour, int? turnHour)
    {
        // Hours after noon of a Friday; at = 02:00 is 14 hours after it, and then every 24.
        var rule = new ScheduleRule(new TimeOnly(2, 0), TimeSpan.Zero, EveryDay);
        var last = lastHour == 2 ? Noon.AddHours(14) : Noon;
        var turn = SchedulePlanner.LastTurn(rule, Image, last, Noon.AddHours(nowHour), TimeZoneInfo.Utc);
        Assert.Equal(turnHour is null ? null : Noon.AddHours(turnHour.Value), turn);
    }

    [Fact]
    public void A_turn_is_moved_by_the_jitter_always_the_same_way_and_stays_within_it()
    {
        var rule = new ScheduleRule(new TimeOnly(2, 0), TimeSpan.FromHours(2), EveryDay);
        var turns = Enumerable.Range(0, 100).Select(i => SchedulePlanner.LastTurn(rule, new ImageSpec("vms", $"{i}"), Noon, Noon.AddHours(17), TimeZoneInfo.Utc)!.Value).ToList();
        Assert.All(turns, t => Assert.InRange(t, Noon.AddHours(12), Noon.AddHours(16)));
        Assert.True(turns.Distinct().Count() > 50);
    }

    [Fact]
    public void Only_the_days_of_the_rule_have_turns()
    {
        var rule = new ScheduleRule(new TimeOnly(2, 0), TimeSpan.Zero, [DayOfWeek.Sunday]);
        Assert.Null(SchedulePlanner.LastTurn(rule, Image, Noon, Noon.AddHours(20), TimeZoneInfo.Utc));
        Assert.Equal(Noon.AddHours(38), SchedulePlanner.LastTurn(rule, Image, Noon, Noon.AddHours(100), TimeZoneInfo.Utc));
    }

    [Fact]
    public async Task A_pass_makes_the_backup_of_a_turn_once()
    {
        var name = $"e2e-{Guid.NewGuid():N}";
        await using var image = await mini.CreateAsync(1 << 20);
        using var sandbox = new Sandbox(
            $"ceph.user={Mini.WorkerUser}", $"ceph.state_namespace={name}", $"policy:daily.image={image}", "policy:daily.jitter=0s");
        await PassAsync(sandbox, TimeSpan.Zero);
        Assert.Empty(await WorkerProcess.PointsAsync(sandbox));

        await PassAsync(sandbox, TimeSpan.FromHours(25));
        await PassAsync(sandbox, TimeSpan.FromHours(25.1));

        Assert.Equal("daily", Assert.Single(await WorkerProcess.PointsAsync(sandbox)).GetProperty("policy").GetString());
    }

    private static async Task PassAsync(Sandbox sandbox, TimeSpan later)
    {
        sandbox.Ahead = later;
        await sandbox.DoAsync("schedule", "--once");
    }
}
