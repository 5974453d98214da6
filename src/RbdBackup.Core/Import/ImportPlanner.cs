using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Import;

/// <summary>What becomes of a diff.</summary>
/// <param name="Present">The point that it is already; null: it becomes a new one.</param>
/// <param name="Base">The point that the new one stands on; null for a full.</param>
public sealed record ImportDecision(Manifest? Present, Manifest? Base);

/// <summary>Decides what a diff becomes: points are found by the names of the snapshots that they were imported to. Pure.</summary>
public static class ImportPlanner
{
    /// <summary>The decision.</summary>
    /// <param name="diff">The diff.</param>
    /// <param name="disk">The points of the disk that it is imported as, oldest first.</param>
    /// <param name="named">The point that its from-snapshot names as <c>rbdbackup.POINT</c>, of whichever disk; null where there is none.</param>
    /// <exception cref="RbdBackupException">NotFound: what it starts from is not there; Refused: another diff led to a snapshot of that name.</exception>
    public static ImportDecision Decide(ImportedDiff diff, IReadOnlyList<Manifest> disk, Manifest? named)
    {
        if (disk.FirstOrDefault(p => p.Imported == diff) is { } present)
        {
            return new ImportDecision(present, null);
        }

        if (diff.ToSnap is not null && disk.FirstOrDefault(p => p.Imported?.ToSnap == diff.ToSnap) is { } other)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"point {other.Point} of {other.Disk.Spec} is snapshot {diff.ToSnap} already, by another file",
                "Import it under another name (--as), or prune that point first.");
        }

        return new ImportDecision(null, diff.FromSnap is null ? null : disk.LastOrDefault(p => p.Imported?.ToSnap == diff.FromSnap) ?? named ?? throw new RbdBackupException(
            ErrorKind.NotFound, $"it starts from snapshot {diff.FromSnap}, and no point of that name is there",
            "Import the diff that leads to that snapshot first: the full, then each increment in order."));
    }
}
