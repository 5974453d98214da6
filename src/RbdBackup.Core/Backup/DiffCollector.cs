using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Backup;

/// <summary>What changed.</summary>
/// <param name="Extents">The changed ranges; of no use where the cross-check disagrees.</param>
/// <param name="CrossCheck">What it found; null where there was none.</param>
public sealed record FoundChanges(IReadOnlyList<Extent> Extents, CrossCheck? CrossCheck);

/// <summary>
/// Finds what changed between two snapshots in two steps: whole-object diffs, which cost next to nothing, give candidates; the fine diff looks into those.
/// </summary>
public sealed class DiffCollector(IImage image, PointId point, int planExtents, double crossCheckPercent)
{
    // Several short fine diffs cost more than one that also looks into some unchanged objects.
    private const int JoinObjects = 16;

    /// <summary>The extents of an increment, or of a full.</summary>
    /// <param name="info">The image, shown at the snapshot that will be stored.</param>
    /// <param name="decision">What to make.</param>
    /// <param name="baseExtents">The extents of the base point; asked for only where the proof needs them.</param>
    /// <param name="onProgress">Told how many bytes of the image were looked at.</param>
    /// <param name="cancel">Ends the search.</param>
    public async Task<FoundChanges> CollectAsync(
        ImageInfo info, BackupDecision decision, Func<Task<IReadOnlyList<Extent>>> baseExtents, Action<long> onProgress, CancellationToken cancel)
    {
        var from = decision.Base?.SnapshotId;
        var candidates = decision.Proof.FineReason is null
            ? await CandidatesAsync(info, decision, baseExtents, cancel)
            : info.Size == 0 ? [] : [new Extent(0, info.Size, true)];

        var check = decision.Proof.FineReason is null && crossCheckPercent > 0 ? await CrossCheckAsync(info, decision.Base!.SnapshotId, candidates, cancel) : null;
        if (check?.DisagreedAt is not null)
        {
            return new FoundChanges([], check);
        }

        var found = new ExtentList(planExtents);
        foreach (var range in candidates)
        {
            // A full lists the parent's data too, and leaves out holes: a new image has zeros there already.
            await image.DiffAsync(
                from, range.Offset, range.Length, includeParent: from is null, wholeObject: false,
                extent =>
                {
                    if (from is not null || extent.Exists)
                    {
                        found.Add(extent);
                    }

                    onProgress(extent.End);
                },
                cancel);
        }

        return new FoundChanges(found.Extents, check);
    }

    /// <summary>The fine diff of some objects that the maps call unchanged: nothing may come out of it.</summary>
    private async Task<CrossCheck> CrossCheckAsync(ImageInfo info, ulong from, IReadOnlyList<Extent> candidates, CancellationToken cancel)
    {
        var (objects, disagreed) = (0L, (long?)null);
        foreach (var range in CrossCheckPlanner.Plan(point, info.Size, Unit(info), crossCheckPercent, candidates))
        {
            await image.DiffAsync(from, range.Offset, range.Length, includeParent: false, wholeObject: false, extent => disagreed ??= extent.Offset, cancel);
            objects += (range.Length + info.Layout.ObjectSize - 1) / info.Layout.ObjectSize;
        }

        return new CrossCheck(objects, disagreed);
    }

    private async Task<IReadOnlyList<Extent>> CandidatesAsync(
        ImageInfo info, BackupDecision decision, Func<Task<IReadOnlyList<Extent>>> baseExtents, CancellationToken cancel)
    {
        var candidates = new List<Extent>();
        foreach (var older in decision.Proof.OlderSnapshots.Append(decision.Base!.SnapshotId))
        {
            // Neighbouring objects are joined as they come, so that a rewritten image is one candidate and not millions.
            var objects = new ExtentList(planExtents);
            await image.DiffAsync(
                older, 0, info.Size, includeParent: false, wholeObject: true, extent => objects.Add(extent with { Exists = true }), cancel);
            candidates.AddRange(objects.Extents);
        }

        if (decision.Proof.BaseExtents)
        {
            candidates.AddRange(await baseExtents());
        }

        return Align(ExtentList.Union(candidates), info);
    }

    /// <summary>Candidates grown to whole objects (an image with fancy striping: to whole sets of objects), near ones joined.</summary>
    private static List<Extent> Align(IReadOnlyList<Extent> candidates, ImageInfo info)
    {
        var unit = Unit(info);
        var aligned = new List<Extent>();
        foreach (var candidate in candidates.Where(c => c.Offset < info.Size))
        {
            var start = candidate.Offset / unit * unit;
            var end = Math.Min(info.Size, (candidate.End + unit - 1) / unit * unit);
            if (aligned.Count > 0 && start - aligned[^1].End <= JoinObjects * unit)
            {
                aligned[^1] = aligned[^1] with { Length = Math.Max(aligned[^1].End, end) - aligned[^1].Offset };
            }
            else
            {
                aligned.Add(new Extent(start, end - start, true));
            }
        }

        return aligned;
    }

    private static long Unit(ImageInfo info) => info.Layout.ObjectSize * Math.Max(1, info.Layout.StripeCount);
}
