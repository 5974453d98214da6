using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Volumes;

namespace RbdBackup.Tests.Volumes;

public sealed class VolumePlannerTests
{
    private const long Gib = 1L << 30;
    private static readonly VolumeWant Want = new(Gib, Needs: 100, Free: 1000, InPlace: false);

    [Theory]
    [InlineData("available", false, null)]
    [InlineData("reserved", true, null)]
    [InlineData("reserved", false, ErrorKind.Busy)]
    [InlineData("creating", false, ErrorKind.Busy)]
    [InlineData("error", false, ErrorKind.Busy)]
    [InlineData("in-use", false, ErrorKind.Busy)]
    public void A_volume_without_servers_has_to_be_available_or_held_by_an_earlier_run(string status, bool begun, ErrorKind? expected)
    {
        var earlier = begun ? new VolumeJournal { Restore = Guid.NewGuid(), Started = default } : null;
        Assert.Equal(expected, KindOf(Sight(Volume(status)), Want, earlier));
    }

    [Theory]
    [InlineData("ACTIVE", null, false, true, false)]
    [InlineData("ACTIVE", null, true, true, true)]
    [InlineData("SHUTOFF", null, false, false, false)]
    [InlineData("SHELVED_OFFLOADED", null, true, false, true)]
    public void What_a_server_was_is_noted(string status, string? task, bool locked, bool ran, bool wasLocked) =>
        Assert.Equal(
            [new HeldServer("s", ran, wasLocked)],
            VolumePlanner.Plan(Sight(Volume("in-use"), Server("s", status, task, locked)), Want, stopServers: true, null));

    [Theory]
    [InlineData("PAUSED", null)]
    [InlineData("SUSPENDED", null)]
    [InlineData("ERROR", null)]
    [InlineData("ACTIVE", "rebooting")]
    public void A_server_that_can_t_be_stopped_in_order_is_refused(string status, string? task) =>
        Assert.Equal(ErrorKind.Busy, KindOf(Sight(Volume("in-use"), Server("s", status, task, false)), Want, null));

    [Fact]
    public void An_earlier_run_s_note_counts_not_what_it_made_of_the_server()
    {
        var noted = new HeldServer("a", Ran: true, WasLocked: false);
        var earlier = new VolumeJournal { Restore = Guid.NewGuid(), Started = default, Servers = [noted] };
        Assert.Equal(
            [noted, new HeldServer("b", true, false)],
            VolumePlanner.Plan(Sight(Volume("in-use"), Server("a", "SHUTOFF", null, true), Server("b", "ACTIVE", null, false)), Want, true, earlier));
    }

    [Fact]
    public void What_would_lose_something_is_refused()
    {
        var (free, server) = (Volume("available"), Server("s", "ACTIVE", null, false));
        Assert.Equal(ErrorKind.Refused, KindOf(Sight(Volume("in-use"), server), Want, null, stopServers: false));
        Assert.Equal(ErrorKind.Refused, KindOf(Sight(free with { Encrypted = true }), Want, null));
        Assert.Equal(ErrorKind.Refused, KindOf(Sight(free), Want with { Point = Gib + 1 }, null));
        Assert.Equal(ErrorKind.NoSpace, KindOf(Sight(free), Want with { Free = 99 }, null));
        Assert.Equal(ErrorKind.Busy, KindOf(Sight(free with { MigrationStatus = "migrating" }), Want, null));
        Assert.Null(KindOf(Sight(free with { MigrationStatus = "success" }), Want, null));
    }

    [Fact]
    public void Snapshots_of_others_need_the_image_that_is_there()
    {
        var (cinders, others) = (Sight(Volume("available")) with { CinderSnapshots = 1 }, Sight(Volume("available")) with { OtherSnapshots = ["volume-x.clone_snap"] });
        foreach (var sight in new[] { cinders, others })
        {
            var refused = Assert.Throws<RbdBackupException>(() => VolumePlanner.Plan(sight, Want, true, null));
            Assert.Equal(ErrorKind.Refused, refused.Kind);
            Assert.Contains("--in-place", refused.Remedy, StringComparison.Ordinal);
            Assert.Null(KindOf(sight, Want with { InPlace = true }, null));
        }
    }

    [Fact]
    public void An_undo_asks_for_the_servers_alone() =>
        Assert.Null(KindOf(Sight(Volume("available") with { Encrypted = true }) with { CinderSnapshots = 3 }, null, null));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(Gib, 1)]
    [InlineData(Gib + 1, 2)]
    public void A_volume_has_whole_GiB(long bytes, long gib) => Assert.Equal(gib, VolumePlanner.GibOf(bytes));

    private static ErrorKind? KindOf(VolumeSight sight, VolumeWant? want, VolumeJournal? earlier, bool stopServers = true)
    {
        try
        {
            VolumePlanner.Plan(sight, want, stopServers, earlier);
            return null;
        }
        catch (RbdBackupException e)
        {
            return e.Kind;
        }
    }

    private static VolumeSight Sight(Volume volume, params Server[] servers) => new(volume, servers, 0, []);

    private static Volume Volume(string status) => new() { Id = "v", Status = status, Size = 1, Metadata = new Dictionary<string, string>() };

    private static Server Server(string id, string status, string? task, bool locked) => new() { Id = id, Status = status, ProjectId = "p", TaskState = task, Locked = locked };
}
