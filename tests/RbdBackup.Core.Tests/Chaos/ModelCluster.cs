using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Tests.Chaos;

/// <summary>
/// Images in arrays, with snapshots and differences as librbd has them, for a thousand rounds: what is proven here is the repository. The same operations on a real
/// cluster are in EndToEnd.
/// </summary>
internal sealed class ModelCluster(Turns turns) : IImageCluster
{
    private static readonly ImageLayout Layout = new(14, 61, 1 << 14, 1, null);
    private readonly Lock _lock = new();
    private readonly Dictionary<ImageSpec, byte[]> _heads = [];
    private readonly Dictionary<ImageSpec, List<ImageSnapshot>> _snapshots = [];
    private readonly Dictionary<ulong, byte[]> _contents = [];
    private ulong _last = 100;

    public Task<string> GetFsidAsync(string pool, CancellationToken cancel) => Task.FromResult(TestRepository.Fsid);

    public Task<long> GetFreeBytesAsync(string pool, CancellationToken cancel) => Task.FromResult(long.MaxValue);

    /// <summary>All that was ever in a snapshot, though that may be gone.</summary>
    public byte[] ContentOf(ulong snapshot)
    {
        lock (_lock)
        {
            return _contents[snapshot];
        }
    }

    /// <summary>What the guest does.</summary>
    public void Change(ImageSpec spec, Func<byte[], byte[]> change)
    {
        lock (_lock)
        {
            _heads[spec] = change(_heads.GetValueOrDefault(spec) ?? []);
            _ = _snapshots.TryAdd(spec, []);
        }
    }

    public async Task<ImageInfo?> FindAsync(ImageSpec spec, CancellationToken cancel)
    {
        await turns.TakeAsync();
        return Info(spec, null);
    }

    public Task<IImage> OpenAsync(ImageSpec spec, bool writable, CancellationToken cancel) => Task.FromResult<IImage>(new Image(this, spec, null));

    public Task<IImage> OpenByIdAsync(string pool, string @namespace, string imageId, bool writable, CancellationToken cancel) => throw new NotSupportedException();

    public async Task<(IImage Image, ImageInfo Info)> OpenSnapshotAsync(ImageSpec spec, ulong snapshotId, CancellationToken cancel)
    {
        await turns.TakeAsync();
        return (new Image(this, spec, snapshotId), Info(spec, snapshotId));
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public Task<IReadOnlyList<string>> ListImagesAsync(string pool, string @namespace, CancellationToken cancel) => throw new NotSupportedException();

    public Task CreateAsync(ImageSpec spec, long size, ImageLayout layout, CancellationToken cancel) => throw new NotSupportedException();

    public Task RenameAsync(ImageSpec spec, string newName, CancellationToken cancel) => throw new NotSupportedException();

    public Task RemoveAsync(ImageSpec spec, CancellationToken cancel) => throw new NotSupportedException();

    public Task TrashMoveAsync(ImageSpec spec, TimeSpan deferment, CancellationToken cancel) => throw new NotSupportedException();

    public Task<IReadOnlyList<TrashEntry>> TrashListAsync(string pool, string @namespace, CancellationToken cancel) => throw new NotSupportedException();

    public Task TrashRestoreAsync(string pool, string @namespace, string imageId, string name, CancellationToken cancel) => throw new NotSupportedException();

    public Task TrashRemoveAsync(string pool, string @namespace, string imageId, CancellationToken cancel) => throw new NotSupportedException();

    private ImageInfo Info(ImageSpec spec, ulong? snapshot)
    {
        lock (_lock)
        {
            var size = snapshot is { } id ? _contents[id].Length : _heads[spec].Length;
            return new ImageInfo(spec, 3, $"id-of-{spec.Name}", size, Layout, 0, null, [.. _snapshots[spec]], false, false);
        }
    }

    private async Task<ulong> SnapshotAsync(ImageSpec spec, string name)
    {
        await turns.TakeAsync();
        ulong id;
        lock (_lock)
        {
            id = ++_last;
            _contents[id] = _heads[spec];
            _snapshots[spec].Add(new ImageSnapshot(id, name, SnapshotNamespace.User, _heads[spec].Length, 0, false));
        }

        await turns.TakeAsync();
        return id;
    }

    private async Task RemoveAsync(ImageSpec spec, ulong id)
    {
        await turns.TakeAsync();
        lock (_lock)
        {
            _snapshots[spec].RemoveAll(s => s.Id == id);
        }

        await turns.TakeAsync();
    }

    /// <summary>An open image, at its head or at a snapshot.</summary>
    private sealed class Image(ModelCluster cluster, ImageSpec spec, ulong? shown) : IImage
    {
        public ImageSpec Spec => spec;

        public Task<ImageInfo> GetInfoAsync(CancellationToken cancel) => Task.FromResult(cluster.Info(spec, shown));

        public Task DiffAsync(
            ulong? fromSnapshotId, long offset, long length, bool includeParent, bool wholeObject, Action<Extent> onExtent, CancellationToken cancel)
        {
            var (before, after) = (fromSnapshotId is { } from ? cluster.ContentOf(from) : [], cluster.ContentOf(shown!.Value));
            var (unit, at) = (wholeObject ? Layout.ObjectSize : 1, offset);
            foreach (var extent in Images.Difference(before, after))
            {
                var start = Math.Max(at, extent.Offset / unit * unit);
                var end = Math.Min(Math.Min(offset + length, after.Length), (extent.End + unit - 1) / unit * unit);
                if (start < end)
                {
                    onExtent(new Extent(start, end - start, extent.Exists));
                    at = end;
                }
            }

            return Task.CompletedTask;
        }

        public ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancel)
        {
            cluster.ContentOf(shown!.Value).AsMemory((int)offset, destination.Length).CopyTo(destination);
            return ValueTask.CompletedTask;
        }

        public Task<ulong> CreateSnapshotAsync(string name, CancellationToken cancel) => cluster.SnapshotAsync(spec, name);

        public Task RemoveSnapshotAsync(ulong snapshotId, CancellationToken cancel) => cluster.RemoveAsync(spec, snapshotId);

        public Task<IReadOnlyDictionary<string, string>> GetMetadataAsync(CancellationToken cancel) =>
            Task.FromResult<IReadOnlyDictionary<string, string>>(new Dictionary<string, string>());

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        public Task ShowSnapshotAsync(ulong? snapshotId, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask FlushAsync(CancellationToken cancel) => throw new NotSupportedException();

        public Task RollbackAsync(ulong snapshotId, CancellationToken cancel) => throw new NotSupportedException();

        public Task ResizeAsync(long size, CancellationToken cancel) => throw new NotSupportedException();

        public Task SetMetadataAsync(string key, string value, CancellationToken cancel) => throw new NotSupportedException();

        public Task<IReadOnlyList<ImageWatcher>> ListWatchersAsync(CancellationToken cancel) => throw new NotSupportedException();

        public Task AcquireLockAsync(CancellationToken cancel) => throw new NotSupportedException();

        public Task ReleaseLockAsync(CancellationToken cancel) => throw new NotSupportedException();
    }
}
