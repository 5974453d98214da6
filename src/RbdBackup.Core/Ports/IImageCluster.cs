using RbdBackup.Core.Model;

namespace RbdBackup.Core.Ports;

/// <summary>
/// The RBD images of a Ceph cluster, or of several: a pool of one that is not the default is written <c>CLUSTER:POOL</c>. Errors are <see cref="RbdBackupException"/>: NotFound, Busy, Permission, Unavailable (a deadline passed), NoSpace;
/// each names the call, the image and the errno.
/// </summary>
public interface IImageCluster : IAsyncDisposable
{
    /// <summary>The fsid, a UUID, of the cluster that has a pool.</summary>
    Task<string> GetFsidAsync(string pool, CancellationToken cancel);

    /// <summary>How many bytes more can be written into a pool, replicas counted, before its fullest device is full.</summary>
    Task<long> GetFreeBytesAsync(string pool, CancellationToken cancel);

    /// <summary>The names of all images of a pool's namespace.</summary>
    Task<IReadOnlyList<string>> ListImagesAsync(string pool, string @namespace, CancellationToken cancel);

    /// <summary>What the image under this name is now, freshly looked up; null where there is none.</summary>
    Task<ImageInfo?> FindAsync(ImageSpec spec, CancellationToken cancel);

    /// <summary>Opens the image under this name at its head. <paramref name="writable"/> registers a watch; a read-only handle does not disturb anybody.</summary>
    Task<IImage> OpenAsync(ImageSpec spec, bool writable, CancellationToken cancel);

    /// <summary>Opens the image under this name read-only, shown at a snapshot, and says what it is there. As <see cref="OpenAsync"/>, <see cref="IImage.ShowSnapshotAsync"/>
    /// and <see cref="IImage.GetInfoAsync"/> in one.</summary>
    Task<(IImage Image, ImageInfo Info)> OpenSnapshotAsync(ImageSpec spec, ulong snapshotId, CancellationToken cancel);

    /// <summary>Opens an image by its id, whatever its name is now, or in the trash.</summary>
    Task<IImage> OpenByIdAsync(string pool, string @namespace, string imageId, bool writable, CancellationToken cancel);

    /// <summary>Makes an empty image.</summary>
    /// <param name="spec">Its name; <see cref="ErrorKind.Refused"/> where it exists.</param>
    /// <param name="size">Its size in bytes.</param>
    /// <param name="layout">Order, features, striping, data pool. Features that can't be set at creation are left out by the adapter.</param>
    /// <param name="cancel">Ends the wait.</param>
    Task CreateAsync(ImageSpec spec, long size, ImageLayout layout, CancellationToken cancel);

    /// <summary>Renames an image within its pool and namespace. It is not one transaction and nothing in it refuses a watched image: callers look first.</summary>
    Task RenameAsync(ImageSpec spec, string newName, CancellationToken cancel);

    /// <summary>Removes an image that has no snapshots and no watchers; one that is not there is no error.</summary>
    Task RemoveAsync(ImageSpec spec, CancellationToken cancel);

    /// <summary>Moves an image, with its snapshots, to the trash, where a purge leaves it alone for <paramref name="deferment"/>.</summary>
    Task TrashMoveAsync(ImageSpec spec, TimeSpan deferment, CancellationToken cancel);

    /// <summary>The trash of a pool's namespace.</summary>
    Task<IReadOnlyList<TrashEntry>> TrashListAsync(string pool, string @namespace, CancellationToken cancel);

    /// <summary>Takes an image out of the trash under a name.</summary>
    Task TrashRestoreAsync(string pool, string @namespace, string imageId, string name, CancellationToken cancel);

    /// <summary>Removes an image for good from the trash, in spite of its deferment; it must have no snapshots.</summary>
    Task TrashRemoveAsync(string pool, string @namespace, string imageId, CancellationToken cancel);
}
