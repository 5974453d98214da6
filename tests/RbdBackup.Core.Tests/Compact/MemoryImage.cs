using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Tests.Compact;

/// <summary>An image to be filled, in an array: here the store is what the test is about. Restores to real images are in EndToEnd.</summary>
internal sealed class MemoryImage(long size) : IImage
{
    public byte[] Bytes { get; } = new byte[size];

    public ImageSpec Spec => new("vms", "", "filled");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancel)
    {
        Bytes.AsMemory((int)offset, destination.Length).CopyTo(destination);
        return ValueTask.CompletedTask;
    }

    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancel)
    {
        source.CopyTo(Bytes.AsMemory((int)offset));
        return ValueTask.CompletedTask;
    }

    public ValueTask FlushAsync(CancellationToken cancel) => ValueTask.CompletedTask;

    public Task<ImageInfo> GetInfoAsync(CancellationToken cancel) => throw new NotSupportedException();

    public Task ShowSnapshotAsync(ulong? snapshotId, CancellationToken cancel) => throw new NotSupportedException();

    public Task DiffAsync(
        ulong? fromSnapshotId, long offset, long length, bool includeParent, bool wholeObject, Action<Extent> onExtent, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancel) => throw new NotSupportedException();

    public Task<ulong> CreateSnapshotAsync(string name, CancellationToken cancel) => throw new NotSupportedException();

    public Task RemoveSnapshotAsync(ulong snapshotId, CancellationToken cancel) => throw new NotSupportedException();

    public Task RollbackAsync(ulong snapshotId, CancellationToken cancel) => throw new NotSupportedException();

    public Task ResizeAsync(long size, CancellationToken cancel) => throw new NotSupportedException();

    public Task<IReadOnlyDictionary<string, string>> GetMetadataAsync(CancellationToken cancel) => throw new NotSupportedException();

    public Task SetMetadataAsync(string key, string value, CancellationToken cancel) => throw new NotSupportedException();

    public Task<IReadOnlyList<ImageWatcher>> ListWatchersAsync(CancellationToken cancel) => throw new NotSupportedException();

    public Task AcquireLockAsync(CancellationToken cancel) => throw new NotSupportedException();

    public Task ReleaseLockAsync(CancellationToken cancel) => throw new NotSupportedException();
}
