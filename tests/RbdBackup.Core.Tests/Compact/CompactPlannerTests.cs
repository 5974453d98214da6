using RbdBackup.Core.Compact;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Tests.Compact;

/// <summary>Which segments and objects of index pages are written again.</summary>
public sealed class CompactPlannerTests
{
    private static readonly PointId Gone = PointId.New(new DateTimeOffset(2026, 3, 2, 1, 0, 0, TimeSpan.Zero));
    private static readonly AttemptId Attempt = new("0123456789abcdef");

    [Theory]
    [InlineData(1000, 0, 100, 0.5, true)]
    [InlineData(1000, 49, 100, 0.5, true)]
    [InlineData(1000, 50, 100, 0.5, false)]
    [InlineData(1000, 100, 100, 1.0, false)]
    [InlineData(1000, 99, 100, 1.0, true)]
    [InlineData(1000, 0, 0, 1.0, false)]
    [InlineData(1000, 120, 100, 1.0, false)]
    public void A_segment_is_written_again_when_less_than_the_share_of_it_is_shown(long length, long shown, long told, double minLive, bool again)
    {
        var plan = CompactPlanner.Plan([Segment(length, shown, told)], [], minLive, 0);
        Assert.Equal(again, plan.Segments.Count == 1);
    }

    [Theory]
    [InlineData(400, 1000, 0.5, true)]
    [InlineData(500, 1000, 0.5, false)]
    [InlineData(0, 0, 0.5, false)]
    public void Pages_are_written_again_when_less_than_the_share_of_their_object_is_named(long named, long length, double minLive, bool again)
    {
        var plan = CompactPlanner.Plan([], [new IndexUse("data/x", named, length)], minLive, 0);
        Assert.Equal(again, plan.Indexes.Count == 1);
    }

    [Theory]
    [InlineData(800, true)]
    [InlineData(801, false)]
    public void What_frees_too_little_is_left(long minGain, bool again)
    {
        var plan = CompactPlanner.Plan([Segment(1000, 20, 100), Segment(5000, 90, 100)], [], 0.5, minGain);
        Assert.Equal(again ? 1 : 0, plan.Segments.Count);
        Assert.Equal(again ? (800, 200) : (0, 0), (plan.FreedBytes, plan.MovedBytes));
    }

    [Fact]
    public void The_least_share_comes_first()
    {
        var plan = CompactPlanner.Plan([Segment(10, 30, 100), Segment(20, 10, 100), Segment(30, 10, 100)], [], 0.5, 0);
        Assert.Equal([30, 20, 10], plan.Segments.Select(s => s.Length));
    }

    private static SegmentUse Segment(long length, long shown, long told) => new(Gone, Attempt, 0, length, shown, told);
}
