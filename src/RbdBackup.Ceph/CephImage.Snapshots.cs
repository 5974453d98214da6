using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;

namespace RbdBackup.Ceph;

/// <content>Snapshots and the head's size.</content>
public sealed partial class CephImage
{
    /// <inheritdoc/>
    public async Task ShowSnapshotAsync(ulong? snapshotId, CancellationToken cancel)
    {
        if (_writable)
        {
            await CallAsync("rbd_snap_set_by_id", handle => Show(handle, snapshotId, Subject), cancel);
        }
        else
        {
            // A read-only handle does not hear of snapshots made or removed since it was opened, so a fresh one takes its place.
            var fresh = await CallAsync("rbd_open_by_id_read_only", _ => OpenShowing(snapshotId), cancel);
            var old = Interlocked.Exchange(ref _handle, fresh);
            await old.CloseAsync(_cluster.Calls.Deadline, _cluster.Calls.Time);
        }

        _shown = snapshotId;
    }

    /// <inheritdoc/>
    public Task<ulong> CreateSnapshotAsync(string name, CancellationToken cancel) =>
        CallAsync(
            "rbd_snap_create",
            handle =>
            {
                var subject = $"{Subject}@{name}";
                ThrowHelper.Check(Rbd.rbd_snap_create(handle, name), "rbd_snap_create", subject);
                ThrowHelper.Check(Rbd.rbd_snap_get_id(handle, name, out var id), "rbd_snap_get_id", subject);
                return id;
            },
            cancel);

    /// <inheritdoc/>
    public Task RemoveSnapshotAsync(ulong snapshotId, CancellationToken cancel) =>
        CallAsync(
            "rbd_snap_remove_by_id",
            handle =>
            {
                var result = Rbd.rbd_snap_remove_by_id(handle, snapshotId);
                return result == -Errno.ENOENT
                    ? 0
                    : ThrowHelper.Check(result, "rbd_snap_remove_by_id", $"snapshot {snapshotId} of {Subject}");
            },
            cancel);

    /// <inheritdoc/>
    public unsafe Task RollbackAsync(ulong snapshotId, CancellationToken cancel) =>
        LongCheckedAsync(
            "rbd_snap_rollback",
            (handle, progress) =>
                Rbd.rbd_snap_rollback_with_progress(
                    handle, SnapshotName(handle, snapshotId, Subject), Progress.Callback, progress.Argument),
            cancel);

    /// <inheritdoc/>
    public unsafe Task ResizeAsync(long size, CancellationToken cancel) =>
        LongCheckedAsync(
            "rbd_resize2",
            (handle, progress) => Rbd.rbd_resize2(handle, (ulong)size, allowShrink: 1, Progress.Callback, progress.Argument), cancel);

    private static int Show(ImageHandle handle, ulong? snapshotId, string subject) =>
        snapshotId is { } id
            ? ThrowHelper.Check(Rbd.rbd_snap_set_by_id(handle, id), "rbd_snap_set_by_id", $"snapshot {id} of {subject}")
            : ThrowHelper.Check(Rbd.rbd_snap_set(handle, null), "rbd_snap_set", subject);

    private ImageHandle OpenShowing(ulong? snapshotId)
    {
        var handle = ImageHandle.OpenById(_ioctx, ImageId, Subject, writable: false);
        try
        {
            Show(handle, snapshotId, Subject);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }
}
