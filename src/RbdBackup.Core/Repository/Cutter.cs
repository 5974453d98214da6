using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>A frame to be made.</summary>
/// <param name="Number">Its number in the segment, from 0.</param>
/// <param name="Extents">The extents in it; none only in a stream without any.</param>
public sealed record FramePlan(int Number, IReadOnlyList<Extent> Extents)
{
    /// <summary>How many bytes are read for it.</summary>
    public int DataBytes { get; } = (int)Extents.Where(e => e.Exists).Sum(e => e.Length);
}

/// <summary>A segment to be made.</summary>
/// <param name="Number">Its number, from 0.</param>
/// <param name="Last">True for the one that closes the stream.</param>
/// <param name="Frames">Its frames; at least one.</param>
public sealed record SegmentPlan(int Number, bool Last, IReadOnlyList<FramePlan> Frames)
{
    /// <summary>How many bytes are read for it.</summary>
    public long DataBytes { get; } = Frames.Sum(f => (long)f.DataBytes);
}

/// <summary>Cuts a plan's extents into frames and segments. Pure: the same plan always gives the same cuts.</summary>
public static class Cutter
{
    /// <summary>The segments of a stream, one by one; at least one.</summary>
    public static IEnumerable<SegmentPlan> Cut(IReadOnlyList<Extent> extents, CutParameters cut)
    {
        var frames = new List<FramePlan>();
        var (number, data) = (0, 0L);
        foreach (var frame in CutFrames(extents, cut))
        {
            if (frames.Count > 0 && (data + frame.Sum(Cost) > cut.SegmentBytes || frames.Count >= MaxFrames(cut)))
            {
                yield return new SegmentPlan(number++, false, frames);
                (frames, data) = ([], 0);
            }

            frames.Add(new FramePlan(frames.Count, frame));
            data += frame.Sum(Cost);
        }

        yield return new SegmentPlan(number, true, frames.Count > 0 ? frames : [new FramePlan(0, [])]);
    }

    /// <summary>How many segments <see cref="Cut"/> gives.</summary>
    public static int Count(IReadOnlyList<Extent> extents, CutParameters cut) => Cut(extents, cut).Count();

    private static int MaxFrames(CutParameters cut) => Math.Max(1, cut.SegmentBytes / cut.FrameBytes);

    // Zeros cost no reading, only a place in the list.
    private static long Cost(Extent extent) => extent.Exists ? extent.Length : 0;

    private static IEnumerable<List<Extent>> CutFrames(IReadOnlyList<Extent> extents, CutParameters cut)
    {
        var frame = new List<Extent>();
        var room = (long)cut.FrameBytes;
        foreach (var extent in extents)
        {
            for (var rest = extent; rest.Length > 0;)
            {
                var take = rest.Exists ? Math.Min(rest.Length, room) : rest.Length;
                frame.Add(rest with { Length = take });
                room -= rest.Exists ? take : 0;
                rest = new Extent(rest.Offset + take, rest.Length - take, rest.Exists);
                if (room == 0 || frame.Count == CutParameters.FrameExtents)
                {
                    yield return frame;
                    (frame, room) = ([], cut.FrameBytes);
                }
            }
        }

        if (frame.Count > 0)
        {
            yield return frame;
        }
    }
}
