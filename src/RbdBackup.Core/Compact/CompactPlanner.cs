using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Compact;

/// <summary>How much of a segment is still shown.</summary>
/// <param name="Point">The point, or the compaction, that it was written for; no manifest is there of it.</param>
/// <param name="Attempt">The attempt that wrote it.</param>
/// <param name="Number">Its number.</param>
/// <param name="Length">Its length in the store, in bytes.</param>
/// <param name="Shown">The image bytes in it that any point shows.</param>
/// <param name="Told">All image bytes that it tells of.</param>
public sealed record SegmentUse(PointId Point, AttemptId Attempt, int Number, long Length, long Shown, long Told)
{
    /// <summary>The part of it that is shown, from 0 to 1.</summary>
    public double Share => Told <= Shown ? 1 : (double)Shown / Told;

    /// <summary>About how many of its stored bytes nothing shows.</summary>
    public long Dead => (long)(Length * (1 - Share));
}

/// <summary>How much of an object with pages of merged indexes is still named.</summary>
/// <param name="Key">The object.</param>
/// <param name="Named">The bytes of the pages that any point's index names.</param>
/// <param name="Length">The bytes of all its leaf pages.</param>
public sealed record IndexUse(string Key, long Named, long Length);

/// <summary>What a compaction will write again.</summary>
/// <param name="Segments">The segments, by the least share first.</param>
/// <param name="Indexes">The objects of index pages.</param>
public sealed record CompactPlan(IReadOnlyList<SegmentUse> Segments, IReadOnlyList<IndexUse> Indexes)
{
    /// <summary>About how many bytes of the store go with a later collection.</summary>
    public long FreedBytes => Segments.Sum(s => s.Dead) + Indexes.Sum(i => i.Length - i.Named);

    /// <summary>About how many bytes are written again.</summary>
    public long MovedBytes => Segments.Sum(s => s.Length - s.Dead) + Indexes.Sum(i => i.Named);
}

/// <summary>Decides what is worth being written again. Pure.</summary>
public static class CompactPlanner
{
    /// <summary>The plan: what less than a share of is used, unless all of it together is too little to be worth new revisions of the points.</summary>
    /// <param name="segments">The segments that could be left.</param>
    /// <param name="indexes">The objects of index pages that could be left.</param>
    /// <param name="minLive">The share, from 0 to 1.</param>
    /// <param name="minGain">The least that has to come free, in bytes.</param>
    public static CompactPlan Plan(IEnumerable<SegmentUse> segments, IEnumerable<IndexUse> indexes, double minLive, long minGain)
    {
        var plan = new CompactPlan(
            [.. segments.Where(s => s.Share < minLive).OrderBy(s => s.Share).ThenByDescending(s => s.Length)],
            [.. indexes.Where(i => i.Named < minLive * i.Length)]);
        return plan.FreedBytes >= minGain ? plan : new CompactPlan([], []);
    }
}
