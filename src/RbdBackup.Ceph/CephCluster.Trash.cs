using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;
using static RbdBackup.Ceph.Native.RbdConstants;

namespace RbdBackup.Ceph;

/// <content>The trash.</content>
public sealed partial class CephCluster
{
    /// <inheritdoc/>
    public Task TrashMoveAsync(ImageSpec spec, TimeSpan deferment, CancellationToken cancel) =>
        OnImageAsync("rbd_trash_move", spec, (ioctx, _) => Rbd.rbd_trash_move(ioctx, spec.Name, (ulong)deferment.TotalSeconds), cancel);

    /// <summary>The trash of a pool's namespace: what users moved there. What mirroring, a migration or an unfinished removal keeps in it
    /// is left out.</summary>
    public Task<IReadOnlyList<TrashEntry>> TrashListAsync(string pool, string @namespace, CancellationToken cancel)
    {
        var subject = $"the trash of pool {pool}";
        return OnPoolAsync<IReadOnlyList<TrashEntry>>(
            "rbd_trash_list", subject, pool, @namespace, ioctx => ListTrash(ioctx, subject), cancel);
    }

    /// <inheritdoc/>
    public Task TrashRestoreAsync(string pool, string @namespace, string imageId, string name, CancellationToken cancel) =>
        OnImageAsync(
            "rbd_trash_restore", TrashSubject(pool, imageId), pool, @namespace,
            (ioctx, _) => Rbd.rbd_trash_restore(ioctx, imageId, name), cancel);

    /// <inheritdoc/>
    public unsafe Task TrashRemoveAsync(string pool, string @namespace, string imageId, CancellationToken cancel) =>
        OnImageAsync(
            "rbd_trash_remove", TrashSubject(pool, imageId), pool, @namespace,
            (ioctx, progress) => Rbd.rbd_trash_remove_with_progress(ioctx, imageId, force: 1, Progress.Callback, progress.Argument),
            cancel);

    private static string TrashSubject(string pool, string imageId) => $"image id {imageId} in the trash of pool {pool}";

    private static unsafe List<TrashEntry> ListTrash(IoContextHandle ioctx, string subject)
    {
        var all = NativeList.Items<rbd_trash_image_info_t, (int Source, TrashEntry Entry)>(
            "rbd_trash_list", subject,
            (rbd_trash_image_info_t* items, ref nuint count) => Rbd.rbd_trash_list(ioctx, items, ref count),
            Rbd.rbd_trash_list_cleanup,
            item => (item.source, new TrashEntry(
                NativeList.Text(item.id), NativeList.Text(item.name),
                DateTimeOffset.FromUnixTimeSeconds(item.deletion_time), DateTimeOffset.FromUnixTimeSeconds(item.deferment_end_time))));
        return [.. all.Where(e => e.Source is RBD_TRASH_IMAGE_SOURCE_USER or RBD_TRASH_IMAGE_SOURCE_USER_PARENT).Select(e => e.Entry)];
    }
}
