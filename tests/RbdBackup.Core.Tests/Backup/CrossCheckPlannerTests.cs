using RbdBackup.Core.Backup;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Tests.Backup;

/// <summary>Which objects get a fine diff although the maps call them unchanged.</summary>
public sealed class CrossCheckPlannerTests
{
    private const long Unit = 4 << 20;
    private static readonly PointId Point = PointId.New(new DateTimeOffset(2026, 11, 25, 2, 0, 0, TimeSpan.Zero));

    [Theory]
    [InlineData(0, 1.0, 0)]
    [InlineData(100, 0.0, 0)]
    [InlineData(1, 1.0, 1)]
    [InlineData(100, 1.0, 1)]
    [InlineData(1000, 1.0, 10)]
    [InlineData(64, 100.0, 64)]
    [InlineData(262_144, 1.0, CrossCheckPlanner.MaxObjects)]
    public void The_share_is_bounded_by_a_number_of_objects(long objects, double percent, int expected)
    {
        var plan = CrossCheckPlanner.Plan(Point, objects * Unit, Unit, percent, []);
        Assert.Equal(expected, plan.Sum(e => e.Length) / Unit);
        Assert.All(plan, e => Assert.Equal((0, 0), (e.Offset % Unit, e.Length % Unit)));
        Assert.True(plan.Zip(plan.Skip(1)).All(p => p.First.End <= p.Second.Offset) && plan.All(e => e.Offset >= 0 && e.End <= objects * Unit));
    }

    [Fact]
    public void Candidates_are_left_out_and_the_image_s_end_is_no_whole_object()
    {
        var candidates = new[] { new Extent(2 * Unit, 3 * Unit, true), new Extent(9 * Unit, Unit, true) };
        var plan = CrossCheckPlanner.Plan(Point, (10 * Unit) + 512, Unit, 100, candidates);
        Assert.Equal((7 * Unit) - Unit + 512, plan.Sum(e => e.Length));
        Assert.DoesNotContain(plan, e => candidates.Any(c => e.Offset < c.End && c.Offset < e.End));
        Assert.Empty(CrossCheckPlanner.Plan(Point, 10 * Unit, Unit, 100, [new Extent(0, 10 * Unit, true)]));
    }

    [Fact]
    public void Other_points_compare_other_objects_until_all_were_compared()
    {
        var seen = new HashSet<long>();
        for (var n = 0; n < 1000; n++)
        {
            var point = PointId.New(new DateTimeOffset(2026, 11, 25, 2, 0, 0, TimeSpan.Zero).AddHours(n));
            foreach (var range in CrossCheckPlanner.Plan(point, 200 * Unit, Unit, 3, []))
            {
                seen.UnionWith(Enumerable.Range(0, (int)(range.Length / Unit)).Select(i => (range.Offset / Unit) + i));
            }
        }

        Assert.Equal(200, seen.Count);
    }
}
