using System.Runtime.InteropServices;
using RbdBackup.Ceph.Handles;

namespace RbdBackup.Ceph.Native;

/// <summary>librados: compound operations, omap and the listing of objects.</summary>
internal static unsafe partial class Rados
{
    /// <summary>Implements: <c>rados_write_op_t rados_create_write_op(void)</c></summary>
    [LibraryImport(Library)]
    internal static partial nint rados_create_write_op();

    /// <summary>Implements: <c>void rados_release_write_op(rados_write_op_t write_op)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rados_release_write_op(nint operation);

    /// <summary>Implements: <c>void rados_write_op_exec(rados_write_op_t write_op, const char *cls, const char *method, const char *in_buf,
    /// size_t in_len, int *prval)</c>; the input is copied.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void rados_write_op_exec(
        WriteOpHandle operation, string objectClass, string method, byte* input, nuint inputLength, int* result);

    /// <summary>Implements: <c>void rados_write_op_omap_set2(rados_write_op_t write_op, char const* const* keys, char const* const* vals,
    /// const size_t *key_lens, const size_t *val_lens, size_t num)</c>; keys and values are copied.</summary>
    [LibraryImport(Library)]
    internal static partial void rados_write_op_omap_set2(
        WriteOpHandle operation, byte** keys, byte** values, nuint* keyLengths, nuint* valueLengths, nuint count);

    /// <summary>Implements: <c>void rados_write_op_omap_rm_keys2(rados_write_op_t write_op, char const* const* keys, const size_t*
    /// key_lens, size_t keys_len)</c>; keys are copied.</summary>
    [LibraryImport(Library)]
    internal static partial void rados_write_op_omap_rm_keys2(WriteOpHandle operation, byte** keys, nuint* keyLengths, nuint count);

    /// <summary>Implements: <c>void rados_write_op_remove(rados_write_op_t write_op)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rados_write_op_remove(WriteOpHandle operation);

    /// <summary>Implements: <c>int rados_write_op_operate2(rados_write_op_t write_op, rados_ioctx_t io, const char *oid, struct timespec
    /// *mtime, int flags)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rados_write_op_operate2(
        WriteOpHandle operation, IoContextHandle ioctx, string objectName, nint mtime, int flags);

    /// <summary>Implements: <c>rados_read_op_t rados_create_read_op(void)</c></summary>
    [LibraryImport(Library)]
    internal static partial nint rados_create_read_op();

    /// <summary>Implements: <c>void rados_release_read_op(rados_read_op_t read_op)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rados_release_read_op(nint operation);

    /// <summary>Implements: <c>void rados_read_op_omap_get_vals2(rados_read_op_t read_op, const char *start_after, const char
    /// *filter_prefix, uint64_t max_return, rados_omap_iter_t *iter, unsigned char *pmore, int *prval)</c>; the results are set by the
    /// operation.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void rados_read_op_omap_get_vals2(
        ReadOpHandle operation, string startAfter, string filterPrefix, ulong maxReturn, nint* iterator, byte* more, int* result);

    /// <summary>Implements: <c>int rados_read_op_operate(rados_read_op_t read_op, rados_ioctx_t io, const char *oid, int
    /// flags)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rados_read_op_operate(ReadOpHandle operation, IoContextHandle ioctx, string objectName, int flags);

    /// <summary>Implements: <c>int rados_omap_get_next2(rados_omap_iter_t iter, char **key, char **val, size_t *key_len, size_t
    /// *val_len)</c>; a null key is the end.</summary>
    [LibraryImport(Library)]
    internal static partial int rados_omap_get_next2(
        nint iterator, out byte* key, out byte* value, out nuint keyLength, out nuint valueLength);

    /// <summary>Implements: <c>void rados_omap_get_end(rados_omap_iter_t iter)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rados_omap_get_end(nint iterator);

    /// <summary>Implements: <c>int rados_nobjects_list_open(rados_ioctx_t io, rados_list_ctx_t *ctx)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rados_nobjects_list_open(IoContextHandle ioctx, out nint list);

    /// <summary>Implements: <c>int rados_nobjects_list_next(rados_list_ctx_t ctx, const char **entry, const char **key, const char
    /// **nspace)</c>; -ENOENT is the end; what it points to lives until the next call.</summary>
    [LibraryImport(Library)]
    internal static partial int rados_nobjects_list_next(ObjectListHandle list, out byte* entry, nint key, nint @namespace);

    /// <summary>Implements: <c>void rados_nobjects_list_close(rados_list_ctx_t ctx)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rados_nobjects_list_close(nint list);
}
