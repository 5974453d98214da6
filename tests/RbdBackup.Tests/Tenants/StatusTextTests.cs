using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Tenants;

namespace RbdBackup.Tests.Tenants;

/// <summary>What a tenant reads, and what a project may have.</summary>
public sealed class StatusTextTests
{
    private static readonly DateTimeOffset At = new(2026, 11, 25, 19, 20, 11, TimeSpan.Zero);
    private static readonly Asking Two = new() { Policy = "daily", Covered = ["vms/s_disk", "volumes/volume-v"] };
    private static readonly DiskResult Good = new(At, "0199", null);

    [Fact]
    public void It_goes_from_waiting_to_ok_and_says_why_something_failed()
    {
        Assert.Equal("waiting: 0 disks of 2 backed up, policy daily", StatusText.Of(Two));
        Assert.Equal("waiting: 1 disk of 2 backed up, policy daily", StatusText.Of(With(("vms/s_disk", Good))));
        Assert.Equal("ok 2026-11-25T19:20:11Z: 2 disks, point 0199, policy daily", StatusText.Of(With(("vms/s_disk", Good with { At = At.AddDays(-1) }), ("volumes/volume-v", Good))));
        Assert.Equal(
            "failed 2026-11-25T19:20:11Z: volume-v: the backup store is full",
            StatusText.Of(With(("vms/s_disk", Good), ("volumes/volume-v", new DiskResult(At, null, StatusText.Reason(ErrorKind.NoSpace))))));
    }

    [Fact]
    public void What_is_wrong_and_what_is_refused_comes_first_and_what_is_not_covered_is_named()
    {
        Assert.Equal("error: unknown policy 'x'", StatusText.Of(Two with { Problem = "unknown policy 'x'", Refused = "r" }));
        Assert.Equal("refused 2026: the project has 10 points of 10", StatusText.Of(Two with { Refused = "2026: the project has 10 points of 10" }));
        Assert.EndsWith("; not backed up: volume-v (encrypted) and 1 more", StatusText.Of(Two with { Skipped = [new("volumes/volume-v", "encrypted"), new("vms/s_disk.swap", "swap"), new("volumes/volume-w", "encrypted")] }));
    }

    [Fact]
    public void A_backup_without_a_policy_is_told_too_and_nothing_where_nothing_was_asked()
    {
        var now = new Asking { Now = "1", Results = new Dictionary<string, DiskResult> { ["vms/s_disk"] = Good } };
        Assert.Equal("ok 2026-11-25T19:20:11Z: 1 disk, point 0199", StatusText.Of(now));
        Assert.Null(StatusText.Of(new Asking { Policy = "none" }));
        Assert.Null(StatusText.Of(new Asking()));
        Assert.Equal("waiting: no disk to back up yet", StatusText.Of(new Asking { Policy = "daily" }));
    }

    [Fact]
    public void A_disk_that_is_not_found_is_an_error_and_where_it_should_be_is_nothing_for_the_project()
    {
        Skipped[] skipped = [new("vms/s_disk.swap", "swap"), new("ssd:vms/s_disk", "not found", "no image s_disk in pool ssd:vms, and compute host c1 is named for it")];
        const string lost = "error: a disk was not found; not backed up: s_disk (not found)";
        Assert.Equal(lost, StatusText.Of(new Asking { Policy = "daily", Skipped = skipped }));
        Assert.Equal(lost, StatusText.Of(new Asking { Policy = "daily", Skipped = skipped, Results = new Dictionary<string, DiskResult> { ["vms/s_disk"] = Good } }));
        Assert.Equal(lost, StatusText.Of(new Asking { Now = "1", Skipped = skipped }));
        Assert.Equal("ok 2026-11-25T19:20:11Z: 2 disks, point 0199, policy daily; not backed up: s_disk (not found)", StatusText.Of(With(("vms/s_disk", Good), ("volumes/volume-v", Good)) with { Skipped = skipped }));
        Assert.Equal("waiting: no disk to back up yet", StatusText.Of(new Asking { Policy = "daily", Skipped = skipped[..1] }));
        Assert.Null(StatusText.Of(new Asking { Policy = "none", Skipped = skipped }));
    }

    [Fact]
    public void Nova_takes_every_status()
    {
        var text = StatusText.Of(Two with { Problem = "ü\r\n\0" + new string('x', 400) })!;
        Assert.Equal(255, text.Length);
        Assert.All(text, c => Assert.InRange(c, ' ', '~'));
    }

    [Theory]
    [InlineData(0, 0, 0, 1000, 1L << 50, 1000, null)]
    [InlineData(10, 0, 0, 9, 0, 0, null)]
    [InlineData(10, 0, 0, 10, 0, 0, "the project has 10 points of 10")]
    [InlineData(0, 2L << 30, 0, 5, 2L << 30, 0, "the project's points take 2 GiB of 2 GiB")]
    [InlineData(0, 0, 3, 5, 0, 3, "the project had 3 backups of 3 in 24 hours")]
    public void A_project_has_what_it_may_have_and_no_more(int maxPoints, long maxStored, int maxADay, long points, long stored, long lastDay, string? why)
    {
        var limits = ConfigurationLoader.Load(ConfigurationSources.Nothing).Settings.Tenants with
        {
            MaxPoints = maxPoints,
            MaxStored = maxStored,
            MaxBackupsADay = maxADay,
        };
        Assert.Equal(why, new ProjectUsage(points, stored, lastDay).WhyNoMore(limits));
    }

    private static Asking With(params (string Image, DiskResult Result)[] results) => Two with { Results = results.ToDictionary(r => r.Image, r => r.Result) };
}
