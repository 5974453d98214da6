using System.Runtime.InteropServices;
using RbdBackup.Ceph.Handles;

namespace RbdBackup.Ceph.Native;

/// <summary>librbd: snapshots of an open image.</summary>
internal static unsafe partial class Rbd
{
    /// <summary>Implements: <c>int rbd_snap_list(rbd_image_t image, rbd_snap_info_t *snaps, int *max_snaps)</c>; returns how
    /// many.</summary>
    [LibraryImport(Library)]
    internal static partial int rbd_snap_list(ImageHandle image, rbd_snap_info_t* snapshots, ref int count);

    /// <summary>Implements: <c>void rbd_snap_list_end(rbd_snap_info_t *snaps)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_snap_list_end(rbd_snap_info_t* snapshots);

    /// <summary>Implements: <c>int rbd_snap_get_namespace_type(rbd_image_t image, uint64_t snap_id, rbd_snap_namespace_type_t
    /// *namespace_type)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_snap_get_namespace_type(ImageHandle image, ulong snapshotId, out int namespaceType);

    /// <summary>Implements: <c>int rbd_snap_is_protected(rbd_image_t image, const char *snap_name, int *is_protected)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_snap_is_protected(ImageHandle image, byte* name, out int isProtected);

    /// <summary>Implements: <c>int rbd_snap_get_name(rbd_image_t image, uint64_t snap_id, char *snapname, size_t *name_len)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_snap_get_name(ImageHandle image, ulong snapshotId, byte* name, ref nuint length);

    /// <summary>Implements: <c>int rbd_snap_get_id(rbd_image_t image, const char *snapname, uint64_t *snap_id)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_snap_get_id(ImageHandle image, string name, out ulong snapshotId);

    /// <summary>Implements: <c>int rbd_snap_create(rbd_image_t image, const char *snapname)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_snap_create(ImageHandle image, string name);

    /// <summary>Implements: <c>int rbd_snap_remove_by_id(rbd_image_t image, uint64_t snap_id)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_snap_remove_by_id(ImageHandle image, ulong snapshotId);

    /// <summary>Implements: <c>int rbd_snap_rollback_with_progress(rbd_image_t image, const char *snapname, librbd_progress_fn_t cb, void
    /// *cbdata)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_snap_rollback_with_progress(
        ImageHandle image, string name, delegate* unmanaged[Cdecl]<ulong, ulong, nint, int> progress, nint argument);

    /// <summary>Implements: <c>int rbd_snap_set(rbd_image_t image, const char *snapname)</c>; null shows the head.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_snap_set(ImageHandle image, string? name);

    /// <summary>Implements: <c>int rbd_snap_set_by_id(rbd_image_t image, uint64_t snap_id)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_snap_set_by_id(ImageHandle image, ulong snapshotId);
}
