using System.Runtime.InteropServices;
using RbdBackup.Ceph.Handles;

namespace RbdBackup.Ceph.Native;

/// <summary>librbd: what an open image is, its metadata, watchers, locks and snapshots.</summary>
internal static unsafe partial class Rbd
{
    /// <summary>Implements: <c>int rbd_stat(rbd_image_t image, rbd_image_info_t *info, size_t infosize)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_stat(ImageHandle image, out rbd_image_info_t info, nuint infoSize);

    /// <summary>Implements: <c>int rbd_get_features(rbd_image_t image, uint64_t *features)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_get_features(ImageHandle image, out ulong features);

    /// <summary>Implements: <c>int rbd_get_stripe_unit(rbd_image_t image, uint64_t *stripe_unit)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_get_stripe_unit(ImageHandle image, out ulong stripeUnit);

    /// <summary>Implements: <c>int rbd_get_stripe_count(rbd_image_t image, uint64_t *stripe_count)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_get_stripe_count(ImageHandle image, out ulong stripeCount);

    /// <summary>Implements: <c>int64_t rbd_get_data_pool_id(rbd_image_t image)</c></summary>
    [LibraryImport(Library)]
    internal static partial long rbd_get_data_pool_id(ImageHandle image);

    /// <summary>Implements: <c>int rbd_get_flags(rbd_image_t image, uint64_t *flags)</c>; those of what the handle shows.</summary>
    [LibraryImport(Library)]
    internal static partial int rbd_get_flags(ImageHandle image, out ulong flags);

    /// <summary>Implements: <c>int rbd_get_create_timestamp(rbd_image_t image, struct timespec *timestamp)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_get_create_timestamp(ImageHandle image, out Timespec timestamp);

    /// <summary>Implements: <c>int rbd_get_overlap(rbd_image_t image, uint64_t *overlap)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_get_overlap(ImageHandle image, out ulong overlap);

    /// <summary>Implements: <c>int rbd_get_id(rbd_image_t image, char *id, size_t id_len)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_get_id(ImageHandle image, byte* id, nuint length);

    /// <summary>Implements: <c>int rbd_get_name(rbd_image_t image, char *name, size_t *name_len)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_get_name(ImageHandle image, byte* name, ref nuint length);

    /// <summary>Implements: <c>int rbd_get_parent(rbd_image_t image, rbd_linked_image_spec_t *parent_image, rbd_snap_spec_t
    /// *parent_snap)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_get_parent(ImageHandle image, out rbd_linked_image_spec_t parent, out rbd_snap_spec_t snapshot);

    /// <summary>Implements: <c>void rbd_linked_image_spec_cleanup(rbd_linked_image_spec_t *image)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_linked_image_spec_cleanup(ref rbd_linked_image_spec_t parent);

    /// <summary>Implements: <c>void rbd_snap_spec_cleanup(rbd_snap_spec_t *snap)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_snap_spec_cleanup(ref rbd_snap_spec_t snapshot);

    /// <summary>Implements: <c>int rbd_mirror_image_get_info(rbd_image_t image, rbd_mirror_image_info_t *mirror_image_info, size_t
    /// info_size)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_mirror_image_get_info(ImageHandle image, out rbd_mirror_image_info_t info, nuint infoSize);

    /// <summary>Implements: <c>void rbd_mirror_image_get_info_cleanup(rbd_mirror_image_info_t *mirror_image_info)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_mirror_image_get_info_cleanup(ref rbd_mirror_image_info_t info);

    /// <summary>Implements: <c>int rbd_metadata_list(rbd_image_t image, const char *start, uint64_t max, char *keys, size_t *key_len, char
    /// *values, size_t *vals_len)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_metadata_list(
        ImageHandle image, string start, ulong max, byte* keys, ref nuint keysLength, byte* values, ref nuint valuesLength);

    /// <summary>Implements: <c>int rbd_metadata_set(rbd_image_t image, const char *key, const char *value)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_metadata_set(ImageHandle image, string key, string value);

    /// <summary>Implements: <c>int rbd_watchers_list(rbd_image_t image, rbd_image_watcher_t *watchers, size_t *max_watchers)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_watchers_list(ImageHandle image, rbd_image_watcher_t* watchers, ref nuint count);

    /// <summary>Implements: <c>void rbd_watchers_list_cleanup(rbd_image_watcher_t *watchers, size_t num_watchers)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_watchers_list_cleanup(rbd_image_watcher_t* watchers, nuint count);

    /// <summary>Implements: <c>int rbd_lock_acquire(rbd_image_t image, rbd_lock_mode_t lock_mode)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_lock_acquire(ImageHandle image, int mode);

    /// <summary>Implements: <c>int rbd_lock_release(rbd_image_t image)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_lock_release(ImageHandle image);

    /// <summary>Implements: <c>int rbd_resize2(rbd_image_t image, uint64_t size, bool allow_shrink, librbd_progress_fn_t cb, void
    /// *cbdata)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_resize2(
        ImageHandle image, ulong size, byte allowShrink, delegate* unmanaged[Cdecl]<ulong, ulong, nint, int> progress, nint argument);
}
