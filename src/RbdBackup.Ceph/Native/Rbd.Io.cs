using System.Runtime.InteropServices;
using RbdBackup.Ceph.Handles;

namespace RbdBackup.Ceph.Native;

/// <summary>librbd: the data of an open image. The rbd_aio functions return at once; their result comes with the completion.</summary>
internal static unsafe partial class Rbd
{
    /// <summary>Implements: <c>int rbd_diff_iterate2(rbd_image_t image, const char *fromsnapname, uint64_t ofs, uint64_t len, uint8_t
    /// include_parent, uint8_t whole_object, int (*cb)(uint64_t, size_t, int, void *), void *arg)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rbd_diff_iterate2(
        ImageHandle image, string? fromSnapshot, ulong offset, ulong length, byte includeParent, byte wholeObject,
        delegate* unmanaged[Cdecl]<ulong, nuint, int, nint, int> callback, nint argument);

    /// <summary>Implements: <c>int rbd_aio_create_completion(void *cb_arg, rbd_callback_t complete_cb, rbd_completion_t *c)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_aio_create_completion(
        nint argument, delegate* unmanaged[Cdecl]<nint, nint, void> callback, out nint completion);

    /// <summary>Implements: <c>ssize_t rbd_aio_get_return_value(rbd_completion_t c)</c></summary>
    [LibraryImport(Library)]
    internal static partial nint rbd_aio_get_return_value(nint completion);

    /// <summary>Implements: <c>void rbd_aio_release(rbd_completion_t c)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rbd_aio_release(nint completion);

    /// <summary>Implements: <c>int rbd_aio_read2(rbd_image_t image, uint64_t off, size_t len, char *buf, rbd_completion_t c, int
    /// op_flags)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_aio_read2(ImageHandle image, ulong offset, nuint length, void* buffer, nint completion, int flags);

    /// <summary>Implements: <c>int rbd_aio_write(rbd_image_t image, uint64_t off, size_t len, const char *buf, rbd_completion_t
    /// c)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_aio_write(ImageHandle image, ulong offset, nuint length, void* buffer, nint completion);

    /// <summary>Implements: <c>int rbd_aio_write_zeroes(rbd_image_t image, uint64_t off, size_t len, rbd_completion_t c, int zero_flags,
    /// int op_flags)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_aio_write_zeroes(
        ImageHandle image, ulong offset, nuint length, nint completion, int zeroFlags, int flags);

    /// <summary>Implements: <c>int rbd_aio_flush(rbd_image_t image, rbd_completion_t c)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rbd_aio_flush(ImageHandle image, nint completion);
}
