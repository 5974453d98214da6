using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Release;

namespace RbdBackup.Core.Tests.Release;

public sealed class SweepPlannerTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Grace = TimeSpan.FromHours(1);

    // An orphan as it should be: Nova deleted its server, we released this very image, the grace is over, nobody has anything on it.
    private static readonly SweptImage Orphan = new(
        new ImageSpec("vms", "id_disk"), "1a", SweptPlace.Server, OwnerState.Deleted, Ours: 0, Foreign: 0, Open: false, Hold(DiskHold.Deleting, minutesAgo: 61), IsNewer: false);

    public static TheoryData<string, SweptImage, SweepAction?> Cases() => new()
    {
        { "an orphan", Orphan, SweepAction.Trash },
        { "its grace is not over", Orphan with { Hold = Hold(DiskHold.Deleting, minutesAgo: 59) }, null },
        { "its server is there", Orphan with { Owner = OwnerState.Present, Ours = 1 }, null },
        { "Nova does not know its server", Orphan with { Owner = OwnerState.Unknown }, null },
        { "Nova does not know its server, and it is protected", Orphan with { Owner = OwnerState.Unknown, Ours = 1 }, SweepAction.LeaveAlone },
        { "it was never released", Orphan with { Hold = null }, null },
        { "it was released for something else", Orphan with { Hold = Hold("resizing", minutesAgo: 61) }, null },
        { "our snapshot is on it", Orphan with { Ours = 1, Hold = null }, SweepAction.Release },
        { "our snapshot is on it, and somebody else's", Orphan with { Ours = 1, Foreign = 1 }, SweepAction.Release },
        { "somebody else's snapshot is on it", Orphan with { Foreign = 1 }, SweepAction.LeaveAlone },
        { "somebody has it open", Orphan with { Open = true }, SweepAction.LeaveAlone },
        { "it was restored after the deletion", Orphan with { IsNewer = true }, null },
        { "it was restored after the deletion, with its base", Orphan with { IsNewer = true, Ours = 1 }, null },
        { "a deleted volume", Orphan with { Place = SweptPlace.DeletedVolume, Hold = null }, null },
        { "a deleted volume with our snapshot", Orphan with { Place = SweptPlace.DeletedVolume, Hold = null, Ours = 1, Foreign = 1 }, SweepAction.Release },
        { "in the trash", Orphan with { Place = SweptPlace.Trash }, null },
        { "in the trash with our snapshot", Orphan with { Place = SweptPlace.Trash, Ours = 2 }, SweepAction.Release },
    };

    [Theory, MemberData(nameof(Cases))]
    public void An_image_goes_only_where_all_is_proven(string what, SweptImage image, SweepAction? expected) =>
        Assert.True(SweepPlanner.Decide(image, Now, Grace)?.Action == expected, what);

    [Theory]
    [InlineData(-3600, true)]
    [InlineData(-6, true)]
    [InlineData(-4, false)]
    [InlineData(2, false)]
    public void A_disk_is_old_where_it_was_made_before_the_rebuild(int madeAfter, bool expected) =>
        Assert.Equal(expected, SweepPlanner.IsOldDisk(Now.AddSeconds(madeAfter), Now));

    [Fact]
    public void A_server_that_was_never_rebuilt_has_no_old_disk() => Assert.False(SweepPlanner.IsOldDisk(Now, null));

    [Fact]
    public void A_hold_of_a_deletion_stays_one_and_counts_from_its_beginning()
    {
        var hold = DiskHold.Begin("rebuilding", Now.AddMinutes(1), DiskHold.Begin(DiskHold.Deleting, Now, null));
        Assert.Equal((DiskHold.Deleting, Now), (hold.Reason, hold.Since));
        Assert.Equal(ErrorKind.Busy, hold.WhyWait(Orphan.Image, Now.AddMinutes(3))?.Kind);
        Assert.Null(hold.WhyWait(Orphan.Image, hold.Until));
        Assert.Equal(hold, DiskHold.Of(new Dictionary<string, byte[]> { [StateKeys.Hold] = hold.Write() }));
        Assert.Null(DiskHold.Of(new Dictionary<string, byte[]> { [StateKeys.Hold] = [1, 2] }));
    }

    private static DiskHold Hold(string reason, int minutesAgo) => new(reason, Now.AddMinutes(-minutesAgo), Now.AddMinutes(3 - minutesAgo));
}
