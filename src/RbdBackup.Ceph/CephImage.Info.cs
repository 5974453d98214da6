using System.Runtime.CompilerServices;
using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;
using static RbdBackup.Ceph.Native.RbdConstants;

namespace RbdBackup.Ceph;

/// <content>What the image is.</content>
public sealed partial class CephImage
{
    /// <summary>What the image is now. Read through a handle of its own, opened by id: a read-only handle does not hear of changes, and
    /// the flags of a snapshot can only be read from a handle that shows it.</summary>
    public Task<ImageInfo> GetInfoAsync(CancellationToken cancel)
    {
        var shown = _shown;
        return CallAsync(
            "rbd_open_by_id_read_only",
            _ =>
            {
                using var fresh = ImageHandle.OpenById(_ioctx, ImageId, Subject, writable: false);
                return ReadInfo(fresh, shown);
            },
            cancel);
    }

    private ImageInfo ReadInfo(ImageHandle image, ulong? shown)
    {
        var poolId = Rados.rados_ioctx_get_id(_ioctx);
        ThrowHelper.Check(Rbd.rbd_get_flags(image, out var flags), "rbd_get_flags", Subject);
        var layout = ReadLayout(image, poolId);
        var snapshots = ListSnapshots(image).Select(s => s with { Flags = ReadFlags(image, s.Id) }).OrderBy(s => s.Id).ToList();
        Show(image, shown, Subject);
        var stat = Stat(image);
        return new ImageInfo(
            Spec, poolId, ImageId, (long)stat.size, layout, flags, ReadParent(image), snapshots,
            Migrating: (layout.Features & RBD_FEATURE_MIGRATING) != 0, MirrorNonPrimary: IsMirrorNonPrimary(image))
        { Created = ReadCreated(image) };
    }

    private ImageLayout ReadLayout(ImageHandle image, long poolId)
    {
        ThrowHelper.Check(Rbd.rbd_get_features(image, out var features), "rbd_get_features", Subject);
        ThrowHelper.Check(Rbd.rbd_get_stripe_unit(image, out var stripeUnit), "rbd_get_stripe_unit", Subject);
        ThrowHelper.Check(Rbd.rbd_get_stripe_count(image, out var stripeCount), "rbd_get_stripe_count", Subject);
        var dataPoolId = ThrowHelper.Check(Rbd.rbd_get_data_pool_id(image), "rbd_get_data_pool_id", Subject);
        var dataPool = dataPoolId == poolId ? null : _cluster.PoolName(dataPoolId);
        return new ImageLayout(Stat(image).order, features, (long)stripeUnit, (long)stripeCount, dataPool);
    }

    private DateTimeOffset ReadCreated(ImageHandle image)
    {
        ThrowHelper.Check(Rbd.rbd_get_create_timestamp(image, out var time), "rbd_get_create_timestamp", Subject);
        return DateTimeOffset.FromUnixTimeSeconds(time.tv_sec);
    }

    private rbd_image_info_t Stat(ImageHandle image)
    {
        ThrowHelper.Check(Rbd.rbd_stat(image, out var stat, (nuint)Unsafe.SizeOf<rbd_image_info_t>()), "rbd_stat", Subject);
        return stat;
    }

    private ulong ReadFlags(ImageHandle image, ulong snapshotId)
    {
        Show(image, snapshotId, Subject);
        ThrowHelper.Check(Rbd.rbd_get_flags(image, out var flags), "rbd_get_flags", $"snapshot {snapshotId} of {Subject}");
        return flags;
    }

    private unsafe List<ImageSnapshot> ListSnapshots(ImageHandle image) =>
        NativeList.Items<rbd_snap_info_t, ImageSnapshot>(
            "rbd_snap_list", Subject,
            (rbd_snap_info_t* items, ref nuint count) =>
            {
                var room = (int)count;
                var result = Rbd.rbd_snap_list(image, items, ref room);
                count = (nuint)(result < 0 ? room : result);
                return result;
            },
            (rbd_snap_info_t* items, nuint _) => Rbd.rbd_snap_list_end(items),
            item => ReadSnapshot(image, item));

    private unsafe ImageSnapshot ReadSnapshot(ImageHandle image, rbd_snap_info_t item)
    {
        var subject = $"snapshot {item.id} of {Subject}";
        ThrowHelper.Check(Rbd.rbd_snap_get_namespace_type(image, item.id, out var type), "rbd_snap_get_namespace_type", subject);

        // Only what users made can be protected, and is known by its name.
        var isProtected = 0;
        if (type == RBD_SNAP_NAMESPACE_TYPE_USER)
        {
            ThrowHelper.Check(Rbd.rbd_snap_is_protected(image, item.name, out isProtected), "rbd_snap_is_protected", subject);
        }

        return new ImageSnapshot(item.id, NativeList.Text(item.name), (SnapshotNamespace)type, (long)item.size, Flags: 0, isProtected != 0);
    }

    private unsafe ImageParent? ReadParent(ImageHandle image)
    {
        var result = Rbd.rbd_get_parent(image, out var parent, out var snapshot);
        if (result == -Errno.ENOENT)
        {
            return null;
        }

        ThrowHelper.Check(result, "rbd_get_parent", Subject);
        try
        {
            ThrowHelper.Check(Rbd.rbd_get_overlap(image, out var overlap), "rbd_get_overlap", Subject);
            return new ImageParent(
                parent.pool_id, NativeList.Text(parent.pool_name), NativeList.Text(parent.pool_namespace), NativeList.Text(parent.image_id),
                NativeList.Text(parent.image_name), snapshot.id, NativeList.Text(snapshot.name), (long)overlap);
        }
        finally
        {
            Rbd.rbd_linked_image_spec_cleanup(ref parent);
            Rbd.rbd_snap_spec_cleanup(ref snapshot);
        }
    }

    private bool IsMirrorNonPrimary(ImageHandle image)
    {
        var result = Rbd.rbd_mirror_image_get_info(image, out var info, (nuint)Unsafe.SizeOf<rbd_mirror_image_info_t>());
        ThrowHelper.Check(result, "rbd_mirror_image_get_info", Subject);
        Rbd.rbd_mirror_image_get_info_cleanup(ref info);
        return info.state == RBD_MIRROR_IMAGE_ENABLED && info.primary == 0;
    }
}
