using System.Runtime.InteropServices;
using RbdBackup.Ceph.Handles;

namespace RbdBackup.Ceph.Native;

/// <summary>librbd: images of a pool: list, create, open, rename, remove. Every function returns a negated errno on failure, unless it
/// says otherwise.</summary>
internal static unsafe partial class Rbd
{
    internal const string Library = "librbd.so.1";

    /// <summary>Implements: <c>int rbd_list2(rados_ioctx_t io, rbd_image_spec_t *images, size_t *max_images)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_list2(IoContextHandle ioctx, rbd_image_spec_t* images, ref nuint count);

    /// <summary>Implements: <c>void rbd_image_spec_list_cleanup(rbd_image_spec_t *images, size_t num_images)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_image_spec_list_cleanup(rbd_image_spec_t* images, nuint count);

    /// <summary>Implements: <c>int rbd_create4(rados_ioctx_t io, const char *name, uint64_t size, rbd_image_options_t opts)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_create4(IoContextHandle ioctx, string name, ulong size, ImageOptionsHandle options);

    /// <summary>Implements: <c>void rbd_image_options_create(rbd_image_options_t *opts)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_image_options_create(out nint options);

    /// <summary>Implements: <c>void rbd_image_options_destroy(rbd_image_options_t opts)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_image_options_destroy(nint options);

    /// <summary>Implements: <c>int rbd_image_options_set_uint64(rbd_image_options_t opts, int optname, uint64_t optval)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_image_options_set_uint64(ImageOptionsHandle options, int name, ulong value);

    /// <summary>Implements: <c>int rbd_image_options_set_string(rbd_image_options_t opts, int optname, const char *optval)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_image_options_set_string(ImageOptionsHandle options, int name, string value);

    /// <summary>Implements: <c>int rbd_open(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_open(IoContextHandle ioctx, string name, out nint image, string? snapshot);

    /// <summary>Implements: <c>int rbd_open_by_id(rados_ioctx_t io, const char *id, rbd_image_t *image, const char
    /// *snap_name)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_open_by_id(IoContextHandle ioctx, string id, out nint image, string? snapshot);

    /// <summary>Implements: <c>int rbd_open_read_only(rados_ioctx_t io, const char *name, rbd_image_t *image, const char
    /// *snap_name)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_open_read_only(IoContextHandle ioctx, string name, out nint image, string? snapshot);

    /// <summary>Implements: <c>int rbd_open_by_id_read_only(rados_ioctx_t io, const char *id, rbd_image_t *image, const char
    /// *snap_name)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_open_by_id_read_only(IoContextHandle ioctx, string id, out nint image, string? snapshot);

    /// <summary>Implements: <c>int rbd_close(rbd_image_t image)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_close(nint image);

    /// <summary>Implements: <c>int rbd_rename(rados_ioctx_t src_io_ctx, const char *srcname, const char *destname)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_rename(IoContextHandle ioctx, string source, string destination);

    /// <summary>Implements: <c>int rbd_remove_with_progress(rados_ioctx_t io, const char *name, librbd_progress_fn_t cb, void
    /// *cbdata)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_remove_with_progress(
        IoContextHandle ioctx, string name, delegate* unmanaged[Cdecl]<ulong, ulong, nint, int> progress, nint argument);

    /// <summary>Implements: <c>int rbd_trash_move(rados_ioctx_t io, const char *name, uint64_t delay)</c>; the delay is in
    /// seconds.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_trash_move(IoContextHandle ioctx, string name, ulong delay);

    /// <summary>Implements: <c>int rbd_trash_list(rados_ioctx_t io, rbd_trash_image_info_t *trash_entries, size_t
    /// *num_entries)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_trash_list(IoContextHandle ioctx, rbd_trash_image_info_t* entries, ref nuint count);

    /// <summary>Implements: <c>void rbd_trash_list_cleanup(rbd_trash_image_info_t *trash_entries, size_t num_entries)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_trash_list_cleanup(rbd_trash_image_info_t* entries, nuint count);

    /// <summary>Implements: <c>int rbd_trash_restore(rados_ioctx_t io, const char *id, const char *name)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_trash_restore(IoContextHandle ioctx, string id, string name);

    /// <summary>Implements: <c>int rbd_trash_remove_with_progress(rados_ioctx_t io, const char *id, bool force, librbd_progress_fn_t cb,
    /// void *cbdata)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_trash_remove_with_progress(
        IoContextHandle ioctx, string id, byte force, delegate* unmanaged[Cdecl]<ulong, ulong, nint, int> progress, nint argument);
}
