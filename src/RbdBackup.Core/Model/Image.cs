namespace RbdBackup.Core.Model;

/// <summary>A range of an image, in bytes, and whether anything is written there.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">How long it is, in bytes; more than 0.</param>
/// <param name="Exists">False where the range reads as zeros (a discard, a hole).</param>
public readonly record struct Extent(long Offset, long Length, bool Exists)
{
    /// <summary>The first byte behind it.</summary>
    public long End => Offset + Length;
}

/// <summary>What an image is made with, so that a restore can make it alike.</summary>
/// <param name="Order">log2 of the object size in bytes (22 is 4 MiB).</param>
/// <param name="Features">The feature bits (<c>RBD_FEATURE_*</c>).</param>
/// <param name="StripeUnit">The stripe unit in bytes; the object size where striping is not fancy.</param>
/// <param name="StripeCount">The stripe count; 1 where striping is not fancy.</param>
/// <param name="DataPool">The name of the data pool; null where data and metadata share a pool.</param>
public sealed record ImageLayout(int Order, ulong Features, long StripeUnit, long StripeCount, string? DataPool)
{
    /// <summary>The object size in bytes.</summary>
    public long ObjectSize => 1L << Order;
}

/// <summary>A clone's parent.</summary>
/// <param name="PoolId">The parent's pool.</param>
/// <param name="Pool">That pool's name.</param>
/// <param name="Namespace">The parent's RBD namespace.</param>
/// <param name="ImageId">The parent's image id.</param>
/// <param name="ImageName">The parent's name when it was looked at.</param>
/// <param name="SnapshotId">The parent's snapshot.</param>
/// <param name="SnapshotName">That snapshot's name.</param>
/// <param name="Overlap">How much of the clone still shows the parent's data, in bytes.</param>
public sealed record ImageParent(
    long PoolId, string Pool, string Namespace, string ImageId, string ImageName, ulong SnapshotId, string SnapshotName, long Overlap);

/// <summary>What kind of snapshot it is (<c>rbd_snap_namespace_type_t</c>).</summary>
public enum SnapshotNamespace
{
    /// <summary>Made by a user.</summary>
    User = 0,

    /// <summary>Made by a group snapshot.</summary>
    Group = 1,

    /// <summary>Deleted, but still held by clones.</summary>
    Trash = 2,

    /// <summary>Made by mirroring.</summary>
    Mirror = 3,
}

/// <summary>A snapshot of an image.</summary>
/// <param name="Id">Its id; never used again in the pool.</param>
/// <param name="Name">Its name.</param>
/// <param name="Namespace">What kind of snapshot it is.</param>
/// <param name="Size">The image's size in it, in bytes.</param>
/// <param name="Flags">Its flags (<c>RBD_FLAG_*</c>).</param>
/// <param name="Protected">True while it is protected against removal.</param>
public sealed record ImageSnapshot(ulong Id, string Name, SnapshotNamespace Namespace, long Size, ulong Flags, bool Protected)
{
    /// <summary>True where its object map or fast-diff map can't be trusted (<c>RBD_FLAG_OBJECT_MAP_INVALID</c>, <c>RBD_FLAG_FAST_DIFF_INVALID</c>).</summary>
    public bool MapInvalid => (Flags & 3) != 0;
}

/// <summary>Who has an image open with a watch.</summary>
/// <param name="Address">The client's address.</param>
/// <param name="ClientId">The client's id (<c>client.N</c>).</param>
/// <param name="Cookie">The watch's cookie.</param>
/// <param name="Own">True where the watch is this very connection's.</param>
public sealed record ImageWatcher(string Address, long ClientId, ulong Cookie, bool Own);

/// <summary>What an image is at the moment it was looked at.</summary>
/// <param name="Spec">Its name.</param>
/// <param name="PoolId">Its pool's id.</param>
/// <param name="ImageId">Its id; a re-created image under the same name has another one.</param>
/// <param name="Size">The size of what the handle shows (head or snapshot), in bytes.</param>
/// <param name="Layout">What it was made with.</param>
/// <param name="Flags">The head's flags (<c>RBD_FLAG_*</c>).</param>
/// <param name="Parent">Its parent, as seen at what the handle shows; null for an image that is no clone.</param>
/// <param name="Snapshots">All its snapshots, of every namespace, by id ascending.</param>
/// <param name="Migrating">True while <c>rbd migration</c> has it.</param>
/// <param name="MirrorNonPrimary">True where mirroring is enabled and this copy is not the primary.</param>
public sealed record ImageInfo(
    ImageSpec Spec, long PoolId, string ImageId, long Size, ImageLayout Layout, ulong Flags, ImageParent? Parent,
    IReadOnlyList<ImageSnapshot> Snapshots, bool Migrating, bool MirrorNonPrimary)
{
    /// <summary>When the image was made, by Ceph's clock; null where that is not known.</summary>
    public DateTimeOffset? Created { get; init; }

    /// <summary>The bit of <see cref="ImageLayout.Features"/> for exclusive-lock.</summary>
    public const ulong FeatureExclusiveLock = 1UL << 2;

    /// <summary>The bit of <see cref="ImageLayout.Features"/> for object-map.</summary>
    public const ulong FeatureObjectMap = 1UL << 3;

    /// <summary>The bit of <see cref="ImageLayout.Features"/> for fast-diff.</summary>
    public const ulong FeatureFastDiff = 1UL << 4;

    /// <summary>The bit of <see cref="ImageLayout.Features"/> for journaling.</summary>
    public const ulong FeatureJournaling = 1UL << 6;

    /// <summary>True where whole-object diffs may use object maps.</summary>
    public bool HasFastDiff => (Layout.Features & FeatureFastDiff) != 0;
}

/// <summary>An image in the trash.</summary>
/// <param name="ImageId">Its id.</param>
/// <param name="Name">The name that it had.</param>
/// <param name="DeletedAt">When it was moved there.</param>
/// <param name="DefermentEnd">Until when a purge leaves it alone.</param>
public sealed record TrashEntry(string ImageId, string Name, DateTimeOffset DeletedAt, DateTimeOffset DefermentEnd);
