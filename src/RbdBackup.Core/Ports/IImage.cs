using RbdBackup.Core.Model;

namespace RbdBackup.Core.Ports;

/// <summary>
/// An open image, shown at its head or, after <see cref="ShowSnapshotAsync"/>, at one snapshot. Reads and writes may be many at a time; the other
/// members one at a time. Snapshots are addressed by id: a name may mean another snapshot a moment later.
/// </summary>
public interface IImage : IAsyncDisposable
{
    /// <summary>The name under which it was opened.</summary>
    ImageSpec Spec { get; }

    /// <summary>What the image is now, freshly read.</summary>
    Task<ImageInfo> GetInfoAsync(CancellationToken cancel);

    /// <summary>Shows the image at a snapshot, or at its head (null).</summary>
    Task ShowSnapshotAsync(ulong? snapshotId, CancellationToken cancel);

    /// <summary>
    /// The differences up to what the handle shows, in order of offset. A null <paramref name="fromSnapshotId"/> means since creation.
    /// </summary>
    /// <param name="fromSnapshotId">The older snapshot.</param>
    /// <param name="offset">Where to start, in bytes.</param>
    /// <param name="length">How far to look, in bytes.</param>
    /// <param name="includeParent">Counts data of a clone's parent; only right without a from-snapshot.</param>
    /// <param name="wholeObject">Whole objects, from the object maps where they exist (fast-diff).</param>
    /// <param name="onExtent">Called for each extent, never at the same time; what it throws ends the iteration and is thrown on.</param>
    /// <param name="cancel">Ends the iteration at the next extent.</param>
    Task DiffAsync(
        ulong? fromSnapshotId, long offset, long length, bool includeParent, bool wholeObject, Action<Extent> onExtent, CancellationToken cancel);

    /// <summary>Reads the whole of <paramref name="destination"/>; the range must lie in the image.</summary>
    ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancel);

    /// <summary>Writes to the head.</summary>
    ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancel);

    /// <summary>Makes a range of the head read as zeros, whatever its alignment (write-zeroes; a discard may do nothing).</summary>
    ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancel);

    /// <summary>Returns when all earlier writes are safe.</summary>
    ValueTask FlushAsync(CancellationToken cancel);

    /// <summary>Makes a snapshot of the head and returns its id. Has a deadline, and never breaks the lock of an owner that does not answer; a creation
    /// that failed may still happen later, when the owner wakes.</summary>
    Task<ulong> CreateSnapshotAsync(string name, CancellationToken cancel);

    /// <summary>Removes a snapshot; one that is not there is no error. Has a deadline.</summary>
    Task RemoveSnapshotAsync(ulong snapshotId, CancellationToken cancel);

    /// <summary>Makes the head what the snapshot is.</summary>
    Task RollbackAsync(ulong snapshotId, CancellationToken cancel);

    /// <summary>Changes the head's size, in bytes.</summary>
    Task ResizeAsync(long size, CancellationToken cancel);

    /// <summary>All image metadata.</summary>
    Task<IReadOnlyDictionary<string, string>> GetMetadataAsync(CancellationToken cancel);

    /// <summary>Sets one key of the image metadata.</summary>
    Task SetMetadataAsync(string key, string value, CancellationToken cancel);

    /// <summary>Who watches the image.</summary>
    Task<IReadOnlyList<ImageWatcher>> ListWatchersAsync(CancellationToken cancel);

    /// <summary>Takes the EXCLUSIVE managed lock, so that nobody else can write until the handle is closed or <see cref="ReleaseLockAsync"/>.</summary>
    Task AcquireLockAsync(CancellationToken cancel);

    /// <summary>Gives the managed lock back.</summary>
    Task ReleaseLockAsync(CancellationToken cancel);
}
