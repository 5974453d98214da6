using System.Text.Json.Serialization;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Core.Repository;

/// <summary>Full or increment.</summary>
public enum PointKind
{
    /// <summary>A point without a base.</summary>
    Full,

    /// <summary>A point that needs its base.</summary>
    Increment,
}

/// <summary>Which image a point was made of.</summary>
/// <param name="ClusterFsid">The cluster.</param>
/// <param name="Pool">The pool's name.</param>
/// <param name="PoolId">The pool's id.</param>
/// <param name="Namespace">The RBD namespace; empty for the default one.</param>
/// <param name="Name">The image's name.</param>
/// <param name="ImageId">The image's id.</param>
public sealed record DiskIdentity(string ClusterFsid, string Pool, long PoolId, string Namespace, string Name, string ImageId)
{
    /// <summary>The image's name as a spec.</summary>
    public ImageSpec Spec => new(Pool, Namespace, Name);

    /// <summary>The disk's part of keys.</summary>
    public string Key => Keys.Disk(ClusterFsid, Spec);
}

/// <summary>The snapshot that a point was read from.</summary>
/// <param name="Id">Its id in the cluster.</param>
/// <param name="Name">Its name in the cluster.</param>
/// <param name="Own">True where the backup made it, and may remove it.</param>
public sealed record PointSnapshot(ulong Id, string Name, bool Own);

/// <summary>The point that an increment stands on.</summary>
/// <param name="Point">That point.</param>
/// <param name="Disk">The disk whose point it is (<see cref="Keys.Disk"/>): another one where the image was restored from another's point.</param>
/// <param name="SnapshotId">The snapshot from which the difference was taken.</param>
public sealed record PointBase(PointId Point, string Disk, ulong SnapshotId);

/// <summary>A comparison of what the object maps called unchanged with what the fine diff says.</summary>
/// <param name="Objects">How many objects were compared.</param>
/// <param name="DisagreedAt">The first byte of the image that the fine diff calls changed, in an object that the maps called unchanged; null: they agree.</param>
public sealed record CrossCheck(long Objects, long? DisagreedAt);

/// <summary>An object that a manifest names.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Sha256">The SHA-256 of its bytes, in hexadecimal.</param>
public sealed record ObjectReference(string Key, long Length, string Sha256);

/// <summary>
/// The commit of a point: written last, small, JSON, with a digest of its own. It holds all that a restore into an empty cluster needs. No manifest, no point.
/// </summary>
public sealed record Manifest
{
    /// <summary>The version of the format; <see cref="RepositoryFormat.Version"/>.</summary>
    public required int Format { get; init; }

    /// <summary>What a reader must know; one that is unknown means: refuse.</summary>
    public required IReadOnlyList<string> RequiredFeatures { get; init; }

    /// <summary>The point's id.</summary>
    public required PointId Point { get; init; }

    /// <summary>1, and more for each later revision.</summary>
    public required int Revision { get; init; }

    /// <summary>The attempt that committed.</summary>
    public required AttemptId Attempt { get; init; }

    /// <summary>When the snapshot was taken.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Full or increment.</summary>
    public required PointKind Kind { get; init; }

    /// <summary>Why it is of that kind, for people.</summary>
    public required string Reason { get; init; }

    /// <summary>The image.</summary>
    public required DiskIdentity Disk { get; init; }

    /// <summary>The snapshot.</summary>
    public required PointSnapshot Snapshot { get; init; }

    /// <summary>The ids of all snapshots of the image that are older than its own, of every namespace.</summary>
    public required IReadOnlyList<ulong> OlderSnapshots { get; init; }

    /// <summary>What it was taken on; null for a full. An independent point does not need it, it only tells where the point comes from.</summary>
    public PointBase? Base { get; init; }

    /// <summary>True where its index shows the whole image: it is read without its base, which may be gone.</summary>
    public bool Independent { get; init; }

    /// <summary>When the full was made that an independent point's chain started with; null for all others, whose chain says it.</summary>
    public DateTimeOffset? ChainStart { get; init; }

    /// <summary>The point that must be there so that this one can be read; null where it needs none.</summary>
    public PointBase? Needs => Independent ? null : Base;

    /// <summary>True where its index is a merged one (<see cref="MergedDirectory"/>), false for a point's own (<see cref="IndexDirectory"/>).</summary>
    public bool HasMergedIndex => RequiredFeatures.Contains(RepositoryFormat.MergedIndex);

    /// <summary>The image's size at the snapshot, in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>What the image was made with.</summary>
    public required ImageLayout Layout { get; init; }

    /// <summary>The clone's parent at the snapshot; the point holds the parent's data too.</summary>
    public ImageParent? Parent { get; init; }

    /// <summary>The image's metadata.</summary>
    public required IReadOnlyDictionary<string, string> ImageMetadata { get; init; }

    /// <summary>How the frames are compressed (<c>none</c>, <c>zstd:3</c>).</summary>
    public required string Codec { get; init; }

    /// <summary>The frames' hash: <c>xxh128</c>; of older points <c>sha256</c>.</summary>
    public required string Hash { get; init; }

    /// <summary>How many segments it has.</summary>
    public required int Segments { get; init; }

    /// <summary>The bytes in its <c>w</c> records.</summary>
    public required long DataBytes { get; init; }

    /// <summary>The bytes in its <c>z</c> records.</summary>
    public required long ZeroBytes { get; init; }

    /// <summary>The bytes of its segments in the store.</summary>
    public required long StoredBytes { get; init; }

    /// <summary>How long it took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>The plan.</summary>
    public required ObjectReference Plan { get; init; }

    /// <summary>The index.</summary>
    public required ObjectReference Index { get; init; }

    /// <summary>The references.</summary>
    public required ObjectReference References { get; init; }

    /// <summary>Who asked.</summary>
    public required AskedBy AskedBy { get; init; }

    /// <summary>The policy in force; null where none was.</summary>
    public string? Policy { get; init; }

    /// <summary>The program that made it.</summary>
    public required string Tool { get; init; }

    /// <summary>What the cross-check of the object maps found; null where there was none. Where it found something, the point is a full.</summary>
    public CrossCheck? CrossCheck { get; init; }

    /// <summary>Its own key.</summary>
    public string Key => Keys.Manifest(Disk.Key, Point, Revision, Attempt, Kind, StoredBytes);

    /// <summary>Where an imported point comes from; null for all others. Cluster, pool and image of such a point are not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ImportedDiff? Imported { get; init; }

    /// <summary>The server point that it is part of; null where it was made alone. That server point may be gone, and the point is one all the same.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ServerPointReference? ServerPoint { get; init; }
}

/// <summary>The server point that a disk's point is part of.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Server">The server's id.</param>
public sealed record ServerPointReference(PointId Id, string Server);

/// <summary>The diff that a point was imported from.</summary>
/// <param name="FromSnap">The snapshot that it started from; null for a full.</param>
/// <param name="ToSnap">The snapshot that it led to; null where it named none, and then no other diff follows.</param>
/// <param name="Xxh128">The XXH128 of all its bytes, in hexadecimal: the same file is not imported twice.</param>
public sealed record ImportedDiff(string? FromSnap, string? ToSnap, string Xxh128);

/// <summary>A run of consecutive segments that a point refers to.</summary>
/// <param name="Point">The point that the segments were written for.</param>
/// <param name="Attempt">The attempt that wrote them.</param>
/// <param name="First">The first segment's number.</param>
/// <param name="Last">The last segment's number.</param>
/// <param name="LiveBytes">How many of their bytes this point refers to.</param>
public sealed record SegmentRun(PointId Point, AttemptId Attempt, int First, int Last, long LiveBytes)
{
    /// <summary>The keys of the run's segments.</summary>
    public IEnumerable<string> Keys => Enumerable.Range(First, Last - First + 1).Select(n => Repository.Keys.Segment(Point, n, Attempt));
}

/// <summary>All objects beside the manifest that a point needs: from these lists alone garbage is found.</summary>
/// <param name="Format">The version of the format.</param>
/// <param name="Manifest">The key of the manifest that names this list: while that is there, nothing of it is garbage, whatever a listing says.</param>
/// <param name="Segments">The segments.</param>
/// <param name="Objects">Plan and index, and the objects of other points whose pages the index names.</param>
public sealed record ReferenceList(int Format, string Manifest, IReadOnlyList<SegmentRun> Segments, IReadOnlyList<string> Objects);
