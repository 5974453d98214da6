using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Core.Backup;

/// <summary>A backup that is asked for now.</summary>
/// <param name="Image">The image.</param>
/// <param name="Snapshot">An existing snapshot to store (a Cinder snapshot); null: one is made.</param>
/// <param name="Full">True: a full, whatever base there is.</param>
/// <param name="Policy">The policy that asks; null where none does.</param>
/// <param name="CycleDays">After how many days a full is due; null: never.</param>
/// <param name="AskedBy">Who asks.</param>
public sealed record BackupAsk(ImageSpec Image, string? Snapshot, bool Full, string? Policy, int? CycleDays, AskedBy AskedBy)
{
    /// <summary>The records of the requests in the image's state, removed when they were answered. Where they are gone when the ask's turn comes, somebody else answered them.</summary>
    public IReadOnlyList<string> RequestKeys { get; init; } = [];

    /// <summary>The job to go on with; null: any that answers, or a new one. Where it is gone when the ask's turn comes, somebody else ended it.</summary>
    public PointId? Resume { get; init; }
}
