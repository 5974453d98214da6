using RbdBackup.Core.Model;
using RbdBackup.Core.Restore;

namespace RbdBackup.Core.Tests.Restore;

/// <summary>What comes next in a restore and in its undoing, by where the two images are found.</summary>
public sealed class RestorePlannerTests
{
    private const string Old = "old", New = "new", Other = "other";

    [Theory]
    // Made, filled?, the old image; then what has the target's, the scratch and the aside name.
    [InlineData(null, false, null, null, null, null, RestoreStep.MakeScratch)]
    [InlineData(null, false, Old, Old, "left by a dead run", null, RestoreStep.MakeScratch)]
    [InlineData(New, false, Old, Old, New, null, RestoreStep.Fill)]
    [InlineData(New, false, Old, Old, Other, null, RestoreStep.MakeScratch)]
    [InlineData(New, true, Old, Old, null, null, RestoreStep.MakeScratch)]
    [InlineData(New, true, Old, Old, New, null, RestoreStep.MoveOldAside)]
    [InlineData(New, true, Old, null, New, Old, RestoreStep.MoveNewIn)]
    [InlineData(New, true, null, null, New, null, RestoreStep.MoveNewIn)]
    [InlineData(New, true, Old, Other, New, Old, RestoreStep.Conflict)]
    [InlineData(New, true, null, Other, New, null, RestoreStep.Conflict)]
    [InlineData(New, true, Old, New, null, Old, RestoreStep.TrashOld)]
    [InlineData(New, true, Old, New, null, null, RestoreStep.Finish)]
    [InlineData(New, true, null, New, null, null, RestoreStep.Finish)]
    public void The_next_step(string? made, bool filled, string? old, string? target, string? scratch, string? aside, RestoreStep step) =>
        Assert.Equal(step, RestorePlanner.Next(Journal(made, old, filled), new RestoreSight(target, scratch, aside, false)));

    [Theory]
    [InlineData(New, Old, New, null, Old, false, RestoreStep.MoveNewOut)]
    [InlineData(New, Old, New, null, null, true, RestoreStep.MoveNewOut)]
    [InlineData(New, Old, New, null, null, false, RestoreStep.OldIsGone)]
    [InlineData(New, null, New, null, null, false, RestoreStep.MoveNewOut)]
    [InlineData(New, Old, null, New, Old, false, RestoreStep.MoveOldBack)]
    [InlineData(New, Old, null, New, null, true, RestoreStep.RestoreOld)]
    [InlineData(New, Old, null, New, null, false, RestoreStep.OldIsGone)]
    [InlineData(New, Old, Other, New, Old, false, RestoreStep.Conflict)]
    [InlineData(New, Old, Old, New, null, false, RestoreStep.DropNew)]
    [InlineData(New, null, null, New, null, false, RestoreStep.DropNew)]
    [InlineData(New, Old, Old, null, null, false, RestoreStep.Finish)]
    [InlineData(null, null, null, null, null, false, RestoreStep.Finish)]
    public void The_next_step_back(string? made, string? old, string? target, string? scratch, string? aside, bool trashed, RestoreStep step) =>
        Assert.Equal(step, RestorePlanner.NextUndo(Journal(made, old, filled: true), new RestoreSight(target, scratch, aside, trashed)));

    [Theory]
    [InlineData(0b0111101UL, null, 0b0111101UL)] // what Cinder and Nova make: layering, exclusive-lock, object-map, fast-diff, deep-flatten
    [InlineData(0b0111101UL, 0b0111101UL, 0b0111101UL)]
    [InlineData(0b0111101UL, 0b0100001UL, 0b0100001UL)] // a multiattach volume
    [InlineData(0b0100001UL, 0b0111101UL, 0b0111101UL)]
    [InlineData(0b10111101UL, 0b0000001UL, 0b10100001UL)] // the data pool, and what else an image has for good, is the point's
    [InlineData(0b0111101UL, 0b1111101UL, 0b1111101UL)] // journaling
    public void The_new_image_has_the_switches_of_the_one_that_it_replaces(ulong point, ulong? replaced, ulong expected)
    {
        var layout = new ImageLayout(22, point, 1 << 22, 1, "data");
        Assert.Equal(layout with { Features = expected }, RestorePlanner.LayoutOf(layout, replaced is { } f ? new ImageLayout(20, f, 1 << 20, 1, null) : null));
    }

    [Theory]
    [InlineData(Old)]
    [InlineData(null)]
    public void From_every_step_a_restore_gets_to_its_end_and_back_and_the_old_image_is_never_lost(string? old)
    {
        // A step changes the world before the journal knows of it: a kill in between is the same step again.
        for (var killAt = 0; killAt < 8; killAt++)
        {
            var world = new World(old);
            for (var n = 0; world.Forward(forget: n == killAt); n++)
            {
                Assert.True(n < 20, "a restore that does not end");
                world.AssertNothingLost();
            }

            Assert.Equal((New, old is not null), (world.Target, world.Trashed));
        }

        for (var undoAt = 0; undoAt < 8; undoAt++)
        {
            var world = new World(old);
            for (var n = 0; n < undoAt && world.Forward(forget: false); n++)
            {
            }

            for (var n = 0; world.Back(); n++)
            {
                Assert.True(n < 20, "an undo that does not end");
                world.AssertNothingLost();
            }

            Assert.Equal(old, world.Target);
        }
    }

    private static RestoreJournal Journal(string? made, string? old, bool filled) => new()
    {
        Restore = Guid.NewGuid(),
        Point = PointId.New(DateTimeOffset.UnixEpoch),
        Target = "vms/a",
        NewImageId = made,
        OldImageId = old,
        Filled = filled,
        Started = DateTimeOffset.UnixEpoch,
    };

    /// <summary>The names of one restore and what each step does to them.</summary>
    private sealed class World(string? old)
    {
        private readonly string? _old = old;
        private RestoreJournal _journal = Journal(null, old, filled: false);
        private string? _scratch;
        private string? _aside;

        public string? Target { get; private set; } = old;

        public bool Trashed { get; private set; }

        public bool Forward(bool forget)
        {
            var step = RestorePlanner.Next(_journal, Sight);
            var before = _journal;
            switch (step)
            {
                case RestoreStep.MakeScratch:
                    (_scratch, _journal) = (New, _journal with { NewImageId = New, Filled = false });
                    break;
                case RestoreStep.Fill:
                    _journal = _journal with { Filled = true };
                    break;
                case RestoreStep.MoveOldAside:
                    (_aside, Target) = (Target, null);
                    break;
                case RestoreStep.MoveNewIn:
                    (Target, _scratch) = (_scratch, null);
                    break;
                case RestoreStep.TrashOld:
                    (_aside, Trashed) = (null, true);
                    break;
                default:
                    Assert.Equal(RestoreStep.Finish, step);
                    return false;
            }

            _journal = forget ? before : _journal;
            return true;
        }

        public bool Back()
        {
            switch (RestorePlanner.NextUndo(_journal, Sight))
            {
                case RestoreStep.MoveNewOut:
                    (_scratch, Target) = (Target, null);
                    break;
                case RestoreStep.MoveOldBack:
                    (Target, _aside) = (_aside, null);
                    break;
                case RestoreStep.RestoreOld:
                    (Target, Trashed) = (_old, false);
                    break;
                case RestoreStep.DropNew:
                    _scratch = null;
                    break;
                case var step:
                    Assert.Equal(RestoreStep.Finish, step);
                    return false;
            }

            return true;
        }

        public void AssertNothingLost() => Assert.True(_old is null || Target == _old || _aside == _old || Trashed, "the old image is in no place");

        private RestoreSight Sight => new(Target, _scratch, _aside, Trashed);
    }
}
