using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Release;

/// <summary>Where a swept image was found.</summary>
public enum SweptPlace
{
    /// <summary>A server's disk, under its name.</summary>
    Server,

    /// <summary>A volume that Cinder has deleted, and keeps for those that were cloned of it (<c>volume-ID.deleted</c>).</summary>
    DeletedVolume,

    /// <summary>The trash.</summary>
    Trash,
}

/// <summary>An image that may be kept by our snapshots alone.</summary>
/// <param name="Image">Its name, or the one that it had.</param>
/// <param name="ImageId">Its id.</param>
/// <param name="Place">Where it is.</param>
/// <param name="Owner">What the cloud says of its server; <see cref="OwnerState.Deleted"/> where it is no server's.</param>
/// <param name="Ours">How many snapshots of ours it has.</param>
/// <param name="Foreign">How many others.</param>
/// <param name="Open">True while anybody has it open.</param>
/// <param name="Hold">The hold on it; null where it was never released.</param>
/// <param name="IsNewer">True for an image that was made after its server was deleted: somebody restored it, and wants it.</param>
public sealed record SweptImage(
    ImageSpec Image, string ImageId, SweptPlace Place, OwnerState Owner, int Ours, int Foreign, bool Open, DiskHold? Hold, bool IsNewer);

/// <summary>What becomes of an image.</summary>
public enum SweepAction
{
    /// <summary>Our snapshots are removed; the image stays.</summary>
    Release,

    /// <summary>The image goes to the trash, from where it can be taken back for a while.</summary>
    Trash,

    /// <summary>Nothing is done; a person should look at it.</summary>
    LeaveAlone,
}

/// <summary>A step of a sweep.</summary>
/// <param name="Image">The image.</param>
/// <param name="ImageId">Its id.</param>
/// <param name="Place">Where it is.</param>
/// <param name="Action">What becomes of it.</param>
/// <param name="Reason">Why.</param>
public sealed record SweepStep(ImageSpec Image, string ImageId, SweptPlace Place, SweepAction Action, string Reason);

/// <summary>
/// Decides what is kept by our snapshots alone. Pure. To remove a tenant's disk is worse than to leave an orphan, so an image goes to the trash only where all of
/// this holds: Nova itself says that its server was deleted; we released this very image (by its id) as one that was being deleted, a grace ago; nobody made it
/// since, has it open, or has a snapshot on it.
/// </summary>
public static class SweepPlanner
{
    /// <summary>What becomes of an image; null for nothing.</summary>
    /// <param name="image">What was found.</param>
    /// <param name="now">The time.</param>
    /// <param name="grace">How long after its release an orphan stays where it is.</param>
    public static SweepStep? Decide(SweptImage image, DateTimeOffset now, TimeSpan grace)
    {
        SweepStep Step(SweepAction action, string reason) => new(image.Image, image.ImageId, image.Place, action, reason);
        return image switch
        {
            { Owner: OwnerState.Present } => null,
            { Owner: OwnerState.Unknown, Ours: > 0 } => Step(SweepAction.LeaveAlone, "Nova neither has its server nor says that it was deleted"),
            { Owner: OwnerState.Unknown } => null,
            { IsNewer: true } => null,
            { Ours: > 0, Place: SweptPlace.Server } => Step(SweepAction.Release, "its server is deleted"),
            { Ours: > 0, Place: SweptPlace.DeletedVolume } => Step(SweepAction.Release, "its volume is deleted"),
            { Ours: > 0, Place: SweptPlace.Trash } => Step(SweepAction.Release, "it is in the trash"),
            { Place: not SweptPlace.Server } or { Hold: not { Reason: DiskHold.Deleting } } => null,
            _ when now - image.Hold.Since < grace => null,
            { Foreign: > 0 } => Step(SweepAction.LeaveAlone, $"its server is deleted, and it has {image.Foreign} snapshots that are not ours"),
            { Open: true } => Step(SweepAction.LeaveAlone, "its server is deleted, and somebody has it open"),
            _ => Step(SweepAction.Trash, "its server is deleted; Nova could not remove it while our snapshot was on it"),
        };
    }

    /// <summary>True where a server was rebuilt and has its old disk nevertheless.</summary>
    /// <param name="created">When the disk's image was made, by Ceph's clock.</param>
    /// <param name="rebuilt">When the last rebuild began, by Nova's clock; null where there was none.</param>
    public static bool IsOldDisk(DateTimeOffset created, DateTimeOffset? rebuilt) => created < rebuilt - ClockDifference;

    // Nova makes the new disk some seconds after the rebuild began.
    private static readonly TimeSpan ClockDifference = TimeSpan.FromSeconds(5);
}
