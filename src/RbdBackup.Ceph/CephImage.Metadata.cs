using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;

namespace RbdBackup.Ceph;

/// <content>Image metadata, watchers and the managed lock.</content>
public sealed partial class CephImage
{
    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, string>> GetMetadataAsync(CancellationToken cancel) =>
        CallAsync<IReadOnlyDictionary<string, string>>("rbd_metadata_list", handle => ReadMetadata(handle, Subject), cancel);

    /// <inheritdoc/>
    public Task SetMetadataAsync(string key, string value, CancellationToken cancel) =>
        CheckedAsync("rbd_metadata_set", handle => Rbd.rbd_metadata_set(handle, key, value), cancel);

    /// <inheritdoc/>
    public Task<IReadOnlyList<ImageWatcher>> ListWatchersAsync(CancellationToken cancel) =>
        CallAsync<IReadOnlyList<ImageWatcher>>("rbd_watchers_list", ReadWatchers, cancel);

    /// <inheritdoc/>
    public Task AcquireLockAsync(CancellationToken cancel) =>
        CheckedAsync("rbd_lock_acquire", handle => Rbd.rbd_lock_acquire(handle, RbdConstants.RBD_LOCK_MODE_EXCLUSIVE), cancel);

    /// <inheritdoc/>
    public Task ReleaseLockAsync(CancellationToken cancel) => CheckedAsync("rbd_lock_release", Rbd.rbd_lock_release, cancel);

    private static unsafe Dictionary<string, string> ReadMetadata(ImageHandle image, string subject)
    {
        var (keyRoom, valueRoom) = ((nuint)4096, (nuint)16384);
        while (true)
        {
            var (keys, values) = (new byte[keyRoom], new byte[valueRoom]);
            int result;
            fixed (byte* firstKey = keys, firstValue = values)
            {
                result = Rbd.rbd_metadata_list(image, "", max: 0, firstKey, ref keyRoom, firstValue, ref valueRoom);
            }

            if (result != -Errno.ERANGE)
            {
                ThrowHelper.Check(result, "rbd_metadata_list", subject);
                var names = NativeList.Split(keys.AsSpan(0, (int)keyRoom));
                return names.Zip(NativeList.Split(values.AsSpan(0, (int)valueRoom))).ToDictionary();
            }
        }
    }

    private unsafe List<ImageWatcher> ReadWatchers(ImageHandle image) =>
        NativeList.Items<rbd_image_watcher_t, ImageWatcher>(
            "rbd_watchers_list", Subject,
            (rbd_image_watcher_t* items, ref nuint count) => Rbd.rbd_watchers_list(image, items, ref count),
            Rbd.rbd_watchers_list_cleanup,
            item => new ImageWatcher(NativeList.Text(item.addr), item.id, item.cookie, Own: item.id == _cluster.ClientId));
}
