using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.OpenStack.BlockStorage;

namespace RbdBackup.Volumes;

/// <summary>Decides whether a volume that asks to be filled may be. What it is not sure of, it refuses; each refusal is a sentence for the tenant. Pure.</summary>
internal static class FillPlanner
{
    /// <summary>The first refusal that needs no look at the volume's image or at points; null where there is none.</summary>
    /// <param name="volume">The volume as Cinder shows it now.</param>
    /// <param name="begun">True where its fill was begun, and has not ended.</param>
    public static string? RefuseVolume(Volume volume, bool begun) => volume switch
    {
        { SnapshotId: not null } => "the volume was made of a snapshot; only a new, empty one is filled",
        { SourceVolumeId: not null } => "the volume was made of another volume; only a new, empty one is filled",
        { Encrypted: true } => "the volume is encrypted, and the point was not written with its key; give another volume type",
        _ when begun => null,
        { VolumeImageMetadata.Count: > 0 } or { Bootable: true } => "the volume was made of an image; only a new, empty one is filled",
        { Status: not "available" } or { Attachments.Count: > 0 } => $"the volume is {volume.Status}; only one that is available is filled",
        { MigrationStatus: not (null or "none" or "success" or "error") } => "the volume is being moved",
        _ => null,
    };

    /// <summary>The refusal of an image that is not what Cinder makes of nothing; null where it is.</summary>
    public static string? RefuseImage(ImageInfo image, Volume volume, bool hasData) =>
        hasData || image.Snapshots.Count > 0 || image.Parent is not null ? "something was written to the volume, or it has a snapshot; only a new, empty one is filled"
        : image.Size != VolumePlanner.BytesOf(volume) ? "the volume's size is not what Cinder says; ask the operators"
        : null;

    /// <summary>
    /// The refusal of a point; null where it may be restored. A point of somebody else's is refused in the same words as one that does not exist: an id is no key.
    /// </summary>
    /// <param name="asked">What the tenant wrote, which was understood.</param>
    /// <param name="point">The point; null where there is none.</param>
    /// <param name="owner">Whose it is, proven; null where nothing proves it.</param>
    /// <param name="volume">The volume.</param>
    public static string? RefusePoint(RestoreWish asked, Manifest? point, string? owner, Volume volume) =>
        point is null || owner is null || owner != volume.ProjectId
            ? $"there is no point {(asked.Point is { } id ? id.ToString() : $"of {asked.Disk} up to that time")} that is known to be of this project"
        : point.Size > VolumePlanner.BytesOf(volume)
            ? $"the point needs {VolumePlanner.GibOf(point.Size)} GiB, the volume has {volume.Size}"
        : null;

    /// <summary>The newest point up to a time.</summary>
    public static Manifest? NewestUpTo(IEnumerable<Manifest> points, DateTimeOffset at) => points.Where(p => p.Created <= at).MaxBy(p => p.Created);
}
