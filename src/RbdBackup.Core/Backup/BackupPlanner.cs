using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Backup;

/// <summary>A point that an increment could stand on, as far as its snapshot is on the image.</summary>
/// <param name="Point">The point.</param>
/// <param name="Disk">The disk whose point it is.</param>
/// <param name="SnapshotId">The snapshot on this image that holds the point's content.</param>
/// <param name="OlderSnapshots">The snapshots that were older than it when it was made; of a restored image's binding: none.</param>
/// <param name="Size">The image's size at the point.</param>
/// <param name="Parent">The image's parent at the point.</param>
/// <param name="OwnBase">The snapshot that the point itself was taken from, as an increment on this image; null otherwise.</param>
/// <param name="ChainStart">When the full was made that its chain starts with.</param>
public sealed record BaseCandidate(
    PointId Point, string Disk, ulong SnapshotId, IReadOnlyList<ulong> OlderSnapshots, long Size, ImageParent? Parent, ulong? OwnBase, DateTimeOffset ChainStart);

/// <summary>What is known when a backup is planned.</summary>
/// <param name="Image">The image, shown at the snapshot that will be stored.</param>
/// <param name="SnapshotId">That snapshot.</param>
/// <param name="Candidates">The committed points of this very image (its id), and its binding; those whose chain is not whole are left out.</param>
/// <param name="OtherPoints">True where the disk has points, though none of this image id.</param>
/// <param name="FullAsked">A full was asked for.</param>
/// <param name="CycleDays">After how many days a full is due; null: never.</param>
/// <param name="Now">The time.</param>
public sealed record BackupQuestion(
    ImageInfo Image, ulong SnapshotId, IReadOnlyList<BaseCandidate> Candidates, bool OtherPoints, bool FullAsked, int? CycleDays, DateTimeOffset Now);

/// <summary>How the changed ranges are found.</summary>
/// <param name="FineReason">Why the fine diff runs over the whole image; null: it looks only into candidates.</param>
/// <param name="OlderSnapshots">Snapshots older than the base whose whole-object diffs give candidates too (a rollback to one hides objects from the base's).</param>
/// <param name="BaseExtents">True where the base's own extents are candidates too: the snapshot that it was taken from is gone, and a rollback to that
/// could only have changed what the base itself changed.</param>
public sealed record DiffProof(string? FineReason, IReadOnlyList<ulong> OlderSnapshots, bool BaseExtents);

/// <summary>What a backup will be.</summary>
/// <param name="Kind">Full or increment.</param>
/// <param name="Reason">Why.</param>
/// <param name="Base">What an increment stands on; null for a full.</param>
/// <param name="Proof">How the changes are found.</param>
public sealed record BackupDecision(PointKind Kind, string Reason, BaseCandidate? Base, DiffProof Proof);

/// <summary>Decides between full and increment, and how the changes are found. Pure.</summary>
public static class BackupPlanner
{
    // A whole-object diff costs about 0.26 s a TiB, the fine diff over everything about 15 s: beyond this many maps the fine diff is cheaper.
    private const int MaxWholeObjectDiffs = 50;

    /// <summary>The decision. An increment only where it can be proven right.</summary>
    public static BackupDecision Decide(BackupQuestion question)
    {
        if (question.FullAsked)
        {
            return Full("a full was asked for");
        }

        var existing = question.Image.Snapshots.Where(s => s.Namespace == SnapshotNamespace.User).Select(s => s.Id).ToHashSet();
        var usable = question.Candidates.Where(c => c.SnapshotId < question.SnapshotId && existing.Contains(c.SnapshotId)).MaxBy(c => c.SnapshotId);
        if (usable is null)
        {
            return Full(question.Candidates.Count > 0 ? "the base snapshot is gone"
                : question.OtherPoints ? "the image was made anew since the last point (its id changed)"
                : "the first point of this image");
        }

        return WhyNotIncrement(question, usable) is { } reason
            ? Full(reason)
            : new BackupDecision(PointKind.Increment, $"an increment on {usable.Point}", usable, Prove(question, usable));
    }

    /// <summary>What becomes of an increment whose object maps are wrong: nothing that they say can be believed.</summary>
    public static BackupDecision Distrust(BackupDecision increment, long changedAt) =>
        Full($"the object maps are wrong: they call byte {changedAt} unchanged since {increment.Base?.Point}, and the fine diff does not; 'rbd object-map rebuild' puts them right");

    private static BackupDecision Full(string reason) => new(PointKind.Full, reason, null, new DiffProof("a full", [], false));

    private static string? WhyNotIncrement(BackupQuestion question, BaseCandidate candidate)
    {
        // A schedule's times wander by its jitter; a cycle of N days must not become one of N+1 for some minutes.
        if (question.CycleDays is { } days && question.Now - candidate.ChainStart >= TimeSpan.FromDays(days) - TimeSpan.FromHours(6))
        {
            return $"a new cycle: the last full is from {candidate.ChainStart.UtcDateTime:yyyy-MM-dd HH:mm}, cycles have {days} days";
        }

        if (question.Image.Size < candidate.Size)
        {
            return $"the image shrank from {candidate.Size} to {question.Image.Size} bytes";
        }

        // A name may change; what is read through the clone may not. A smaller overlap (shrunk and grown again) hides the parent's data without a trace in any object.
        return Same(candidate.Parent, question.Image.Parent) ? null : "the image's parent changed (flattened, or shrunk in between)";
    }

    private static bool Same(ImageParent? a, ImageParent? b) =>
        a is null || b is null
            ? a is null && b is null
            : (a.PoolId, a.ImageId, a.SnapshotId, a.Overlap) == (b.PoolId, b.ImageId, b.SnapshotId, b.Overlap);

    private static DiffProof Prove(BackupQuestion question, BaseCandidate candidate)
    {
        if (!question.Image.HasFastDiff)
        {
            return Fine("the image has no fast-diff");
        }

        var present = question.Image.Snapshots.Where(s => s.Id < question.SnapshotId).ToList();
        if (question.Image.Snapshots.FirstOrDefault(s => s.Id <= question.SnapshotId && s.MapInvalid) is { } invalid)
        {
            return Fine($"the object map of snapshot {invalid.Id} is invalid");
        }

        var older = present.Where(s => s.Id < candidate.SnapshotId).ToList();
        if (older.FirstOrDefault(s => s.Namespace != SnapshotNamespace.User) is { } foreign)
        {
            return Fine($"snapshot {foreign.Id}, older than the base, is in the {foreign.Namespace} namespace and can't be compared with");
        }

        var gone = candidate.OlderSnapshots.Except(older.Select(s => s.Id)).ToList();
        if (gone.Any(id => id != candidate.OwnBase))
        {
            return Fine($"snapshot {gone.First(id => id != candidate.OwnBase)}, older than the base, is gone; the image may have been rolled back to it");
        }

        return older.Count > MaxWholeObjectDiffs
            ? Fine($"{older.Count} older snapshots: the fine diff is cheaper")
            : new DiffProof(null, [.. older.Select(s => s.Id)], gone.Count > 0);
    }

    private static DiffProof Fine(string reason) => new(reason, [], false);
}
