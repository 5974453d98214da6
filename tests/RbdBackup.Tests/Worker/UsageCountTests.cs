using RbdBackup.Configuration;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Worker;

namespace RbdBackup.Tests.Worker;

/// <summary>Of which day is told, and what.</summary>
public sealed class UsageCountTests
{
    private static readonly DateTimeOffset Midnight = new(2026, 11, 25, 0, 0, 0, TimeSpan.Zero);
    private static readonly UsageDay Day = new(Midnight.AddDays(-1));

    [Theory]
    [InlineData(null, 0, -24)]
    [InlineData(null, 23, -24)]
    [InlineData(0, 0, null)]
    [InlineData(0, 23.9, null)]
    [InlineData(0, 24, 0)]
    [InlineData(0, 24 * 5.5, 24 * 4)]
    [InlineData(0, -30, null)]
    public void The_last_whole_day_is_told_of_once_and_others_that_were_missed_are_not(int? toldHour, double nowHour, int? dayHour)
    {
        var due = UsageDay.Due(toldHour is { } told ? Midnight.AddHours(told) : null, Midnight.AddHours(nowHour));
        Assert.Equal(dayHour is { } day ? Midnight.AddHours(day) : null, due?.Beginning);
    }

    [Fact]
    public void The_days_are_those_of_UTC_wherever_the_clock_is() =>
        Assert.Equal(Midnight.AddDays(-1), UsageDay.Due(null, new DateTimeOffset(2026, 11, 24, 20, 0, 0, TimeSpan.FromHours(-8)))!.Beginning);

    [Fact]
    public void A_volume_whose_image_is_named_by_another_id_is_told_of_by_its_own()
    {
        var point = Point("volumes", $"volume-{Guid.NewGuid()}", "p1", -30, 100, 1000);
        Assert.Equal("v1", Text(Assert.Single(Count([point with { AskedBy = point.AskedBy with { Volume = "v1" } }])), "volume_id"));
    }

    [Fact]
    public void Each_disk_and_project_has_an_event_and_what_was_made_later_does_not_count()
    {
        var server = Guid.NewGuid();
        Manifest[] points =
        [
            Point("vms", $"{server}_disk", "p1", -30, 100, 1000), Point("vms", $"{server}_disk", "p1", -1, 50, 2000), Point("vms", $"{server}_disk", "p1", 0, 7, 4000),
            Point("volumes", $"volume-{server}", "p1", -100, 10, 500), Point("volumes", $"volume-{server}", "p2", -2, 20, 500), Point("volumes", "mine", null, -2, 1, 1),
            Point("volumes", "later", "p1", 3, 1, 1),
        ];
        var events = Count(points);
        Assert.Equal(4, events.Count);
        Assert.Equal(4, events.Select(e => e.Id).Distinct().Count());
        var disk = events.Single(e => Text(e, "server_id") == server.ToString()).Payload;
        Assert.Equal("p1", disk["project_id"]!.GetValue<string>());
        Assert.Equal((2L, 150L, 2000L), (disk["points"]!.GetValue<long>(), disk["stored_bytes"]!.GetValue<long>(), disk["size"]!.GetValue<long>()));
        Assert.Equal(("2026-11-24 00:00:00", "2026-11-25 00:00:00", "2026-11-24 23:00:00"), (disk["audit_period_beginning"]!.GetValue<string>(), disk["audit_period_ending"]!.GetValue<string>(), disk["newest_point_at"]!.GetValue<string>()));
        Assert.Equal(["10 p1", "20 p2"], events.Where(e => Text(e, "volume_id") == server.ToString()).Select(e => $"{e.Payload["stored_bytes"]} {Text(e, "project_id")}").Order());
        Assert.Null(Text(events.Single(e => Text(e, "image") == "volumes/mine"), "project_id"));
    }

    [Fact]
    public void Whatever_the_order_the_same_day_has_the_same_events()
    {
        Manifest[] points = [Point("vms", "a", "p1", -30, 100, 1000), Point("vms", "a", "p1", -1, 50, 2000), Point("vms", "b", "p1", -2, 7, 4000)];
        static IEnumerable<string> Texts(IEnumerable<UsageEvent> events) => events.Select(e => $"{e.Id} {e.Payload.ToJsonString()}").Order();
        Assert.Equal(Texts(Count(points)), Texts(Count(points.Reverse())));
    }

    private static List<UsageEvent> Count(IEnumerable<Manifest> points)
    {
        var count = new UsageCount(Day, ConfigurationLoader.Load(ConfigurationSources.Nothing).Settings.Pools);
        foreach (var point in points)
        {
            count.Add(point);
        }

        return [.. count.Events()];
    }

    private static Manifest Point(string pool, string name, string? project, double hour, long stored, long size)
    {
        var point = Points.Of(name, Midnight.AddHours(hour));
        return point with { Disk = point.Disk with { Pool = pool }, AskedBy = new AskedBy(AskedSource.Notification, project), StoredBytes = stored, Size = size };
    }

    private static string? Text(UsageEvent e, string member) => e.Payload[member]?.GetValue<string>();
}
