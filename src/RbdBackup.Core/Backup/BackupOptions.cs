using RbdBackup.Core.Jobs;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Backup;

/// <summary>How backups are made.</summary>
/// <param name="Cut">How the stream is cut.</param>
/// <param name="ReadsInFlight">The reads of the image that run at a time.</param>
/// <param name="Uploads">The segments that are made and stored at a time. Memory: about this many segments, and this many frames for reading ahead.</param>
/// <param name="PlanExtents">The extents that a plan holds, at most.</param>
/// <param name="CrossCheckPercent">The share of the objects that object maps call unchanged, and that get a fine diff all the same, in percent; 0: none.</param>
/// <param name="MaxTries">How many times a job is tried.</param>
/// <param name="RetryDelay">How long after a failure it is tried again; doubled each time.</param>
/// <param name="Deadline">How old a job may become; then its snapshot goes and it counts as failed.</param>
/// <param name="SnapshotName">The name of the snapshot for a point of an image at a time.</param>
/// <param name="Tool">The program and its version.</param>
/// <param name="Holder">This host and process.</param>
public sealed record BackupOptions(
    CutParameters Cut, int ReadsInFlight, int Uploads, int PlanExtents, double CrossCheckPercent, int MaxTries, TimeSpan RetryDelay, TimeSpan Deadline,
    SnapshotNaming SnapshotName, string Tool, string Holder)
{
    /// <summary>When a job that failed is tried again.</summary>
    public RetryRule Retries => new(MaxTries, RetryDelay, Deadline);
}
