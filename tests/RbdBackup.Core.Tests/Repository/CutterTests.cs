using FsCheck.Fluent;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Tests.Diff;

namespace RbdBackup.Core.Tests.Repository;

public sealed class CutterTests
{
    [Fact]
    public void Cuts_partition_the_extents_and_keep_the_limits()
    {
        var cases =
            from seed in Gen.Choose(0, int.MaxValue)
            from count in Gen.Choose(0, 5000)
            from frame in Gen.Choose(1, 64)
            from frames in Gen.Choose(1, 9)
            select (seed, count, cut: new CutParameters(frame * frames * 4096, frame * 4096, 4096));
        Diffs.Check(cases, 60, c =>
        {
            var extents = Images.Extents(new Random(c.seed), c.count, c.count > 500 ? 9000 : 1 << 20);
            var segments = Cutter.Cut(extents, c.cut).ToList();
            Assert.Equal(segments.Count, Cutter.Count(extents, c.cut));
            Assert.Equal(Enumerable.Range(0, segments.Count), segments.Select(s => s.Number));
            Assert.Equal(segments.Count - 1, segments.FindIndex(s => s.Last));
            Assert.All(segments, s =>
            {
                Assert.NotEmpty(s.Frames);
                Assert.Equal(Enumerable.Range(0, s.Frames.Count), s.Frames.Select(f => f.Number));
                Assert.InRange(s.DataBytes, 0, c.cut.SegmentBytes);
                Assert.All(s.Frames, f => Assert.InRange(f.DataBytes, 0, c.cut.FrameBytes));
                Assert.All(s.Frames, f => Assert.InRange(f.Extents.Count, 0, CutParameters.FrameExtents));
            });
            Assert.Equal(Joined(extents), Joined(segments.SelectMany(s => s.Frames).SelectMany(f => f.Extents)));
        });
    }

    [Fact]
    public void The_same_plan_always_gives_the_same_cuts()
    {
        var extents = Images.Extents(new Random(1), 3000, 60_000);
        Assert.Equivalent(Cutter.Cut(extents, TestRepository.SmallCut).ToList(), Cutter.Cut([.. extents], TestRepository.SmallCut).ToList(), strict: true);
    }

    [Fact]
    public void A_stream_without_extents_is_one_segment_of_one_empty_frame()
    {
        var segment = Assert.Single(Cutter.Cut([], TestRepository.SmallCut));
        Assert.True(segment.Last);
        Assert.Empty(Assert.Single(segment.Frames).Extents);
    }

    [Fact]
    public void Zeros_cost_no_room_however_long_they_are()
    {
        var segment = Assert.Single(Cutter.Cut([new Extent(0, 1L << 50, false), new Extent(1L << 50, 4096, true)], TestRepository.SmallCut));
        Assert.Single(segment.Frames);
        Assert.Equal(4096, segment.DataBytes);
    }

    /// <summary>Neighbours of one kind as one extent; fails where they overlap or go back.</summary>
    private static List<Extent> Joined(IEnumerable<Extent> extents)
    {
        var joined = new List<Extent>();
        foreach (var extent in extents)
        {
            Assert.True(extent.Length > 0 && (joined.Count == 0 || extent.Offset >= joined[^1].End));
            if (joined.Count > 0 && joined[^1].End == extent.Offset && joined[^1].Exists == extent.Exists)
            {
                joined[^1] = joined[^1] with { Length = joined[^1].Length + extent.Length };
            }
            else
            {
                joined.Add(extent);
            }
        }

        return joined;
    }
}
