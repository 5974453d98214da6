using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.OpenStack;

/// <summary>Whose disk it is.</summary>
public enum DiskKind
{
    /// <summary>A server's root disk.</summary>
    Server,

    /// <summary>A Cinder volume.</summary>
    Volume,
}

/// <summary>A disk of OpenStack's, and its image by the well-known rule.</summary>
/// <param name="Kind">Server or volume.</param>
/// <param name="Id">The server's or volume's id; a UUID in its usual form, lower case.</param>
/// <param name="Image">The image that Nova or Cinder uses for it.</param>
public sealed record DiskRef(DiskKind Kind, string Id, ImageSpec Image);

/// <summary>Where an event came from, for logs and for <see cref="AskedBy"/>.</summary>
/// <param name="EventType">The event in the service's spelling.</param>
/// <param name="MessageId">The notification's id.</param>
/// <param name="RequestId">The request that caused it; null where there is none.</param>
/// <param name="Timestamp">When it was sent; UTC.</param>
/// <param name="Project">The project, as the message claims.</param>
/// <param name="User">The user, as the message claims; null where there is none.</param>
public sealed record EventOrigin(string EventType, string MessageId, string? RequestId, DateTimeOffset Timestamp, string? Project, string? User)
{
    /// <summary>What stands for the event itself: equal in each format of the same event and in a replay of it.</summary>
    internal string Identity => RequestId ?? MessageId;

    /// <summary>Who asked, for a request.</summary>
    public AskedBy AskedBy => new(AskedSource.Notification, Project, User, RequestId, MessageId);
}

/// <summary>What a notification means for us. Every claim in it is the message's own: whoever acts on it may want to ask Nova or Cinder first.</summary>
/// <param name="Origin">Where it came from.</param>
public abstract record DiskEvent(EventOrigin Origin);

/// <summary>Why a policy was seen.</summary>
public enum PolicyCause
{
    /// <summary>The disk is new: created, unshelved, rebuilt.</summary>
    Appeared,

    /// <summary>Something that a person sets changed (metadata, a tag, a description): maybe the policy.</summary>
    Edited,

    /// <summary>Something else happened; the message names the policy by the way.</summary>
    Mentioned,
}

/// <summary>A disk that is there, and the policy in its metadata.</summary>
/// <param name="Disk">The disk.</param>
/// <param name="Policy">The policy's name as the tenant wrote it, known or not; null where the metadata names none.</param>
/// <param name="Cause">Why it was seen.</param>
/// <param name="Origin">Where it came from.</param>
public sealed record PolicySeen(DiskRef Disk, string? Policy, PolicyCause Cause, EventOrigin Origin) : DiskEvent(Origin)
{
    /// <summary>The key for a backup that this event starts.</summary>
    public DedupKey DedupKey => DedupKey.Of(Disk.Image, "policy", $"{Policy} {Origin.Identity}");
}

/// <summary>A Cinder snapshot was made whose metadata asks for a backup of it.</summary>
/// <param name="Disk">The snapshot's volume.</param>
/// <param name="SnapshotId">The Cinder snapshot's id; a UUID.</param>
/// <param name="SnapshotName">Its name on the image.</param>
/// <param name="Origin">Where it came from.</param>
public sealed record SnapshotBackupAsked(DiskRef Disk, string SnapshotId, string SnapshotName, EventOrigin Origin) : DiskEvent(Origin)
{
    /// <summary>The key of that backup: one for each snapshot, whichever message names it.</summary>
    public DedupKey DedupKey => DedupKey.Of(Disk.Image, "snapshot", SnapshotId);
}

/// <summary>Why our base snapshot has to go.</summary>
public enum ReleaseReason
{
    /// <summary>The disk is being deleted.</summary>
    Deleting,

    /// <summary>The server is being rebuilt: Nova removes the disk, and boots the old one where it can't.</summary>
    Rebuilding,

    /// <summary>The server is being shelved: Nova removes the disk, and finds the old one when it is unshelved.</summary>
    ShelveOffloading,

    /// <summary>The server is being resized or migrated while off.</summary>
    Resizing,

    /// <summary>The volume got another type, maybe another image.</summary>
    Retyped,
}

/// <summary>
/// The base snapshot has to go at once, so that Nova and Cinder can do what they are about to do. Releasing twice, or a disk that was never
/// protected, does nothing: a release too many costs one full.
/// </summary>
/// <param name="Disk">The disk.</param>
/// <param name="Reason">Why.</param>
/// <param name="Origin">Where it came from.</param>
public sealed record ReleaseDisk(DiskRef Disk, ReleaseReason Reason, EventOrigin Origin) : DiskEvent(Origin)
{
    /// <summary>Equal in each format of the same event.</summary>
    public DedupKey DedupKey => DedupKey.Of(Disk.Image, "release", $"{Reason} {Origin.Identity}");
}

/// <summary>The server or volume no longer exists.</summary>
/// <param name="Disk">Its disk.</param>
/// <param name="Origin">Where it came from.</param>
public sealed record DiskGone(DiskRef Disk, EventOrigin Origin) : DiskEvent(Origin);

/// <summary>Nothing to do.</summary>
/// <param name="Reason">Why not, for the log.</param>
/// <param name="Origin">Where it came from.</param>
public sealed record Ignored(string Reason, EventOrigin Origin) : DiskEvent(Origin);
