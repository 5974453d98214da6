using System.Runtime.InteropServices;
using RbdBackup.Ceph.Handles;

namespace RbdBackup.Ceph.Native;

/// <summary>librados: cluster, io context and locks. Every function returns a negated errno on failure, unless it says otherwise.</summary>
internal static unsafe partial class Rados
{
    internal const string Library = "librados.so.2";

    /// <summary>Implements: <c>int rados_create2(rados_t *pcluster, const char *clustername, const char *name, uint64_t
    /// flags)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rados_create2(out nint cluster, string clusterName, string name, ulong flags);

    /// <summary>Implements: <c>int rados_conf_read_file(rados_t cluster, const char *path)</c>; a null path searches the usual
    /// places.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rados_conf_read_file(ClusterHandle cluster, string? path);

    /// <summary>Implements: <c>int rados_conf_set(rados_t cluster, const char *option, const char *value)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rados_conf_set(ClusterHandle cluster, string option, string value);

    /// <summary>Implements: <c>int rados_connect(rados_t cluster)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rados_connect(ClusterHandle cluster);

    /// <summary>Implements: <c>void rados_shutdown(rados_t cluster)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rados_shutdown(nint cluster);

    /// <summary>Implements: <c>int rados_cluster_fsid(rados_t cluster, char *buf, size_t len)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rados_cluster_fsid(ClusterHandle cluster, byte* buffer, nuint length);

    /// <summary>Implements: <c>uint64_t rados_get_instance_id(rados_t cluster)</c>; the N of <c>client.N</c>.</summary>
    [LibraryImport(Library)]
    internal static partial ulong rados_get_instance_id(ClusterHandle cluster);

    /// <summary>Implements: <c>int64_t rados_pool_lookup(rados_t cluster, const char *pool_name)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial long rados_pool_lookup(ClusterHandle cluster, string pool);

    /// <summary>Implements: <c>int rados_pool_reverse_lookup(rados_t cluster, int64_t id, char *buf, size_t maxlen)</c></summary>
    [LibraryImport(Library)]
    internal static partial int rados_pool_reverse_lookup(ClusterHandle cluster, long id, byte* buffer, nuint length);

    /// <summary>Implements: <c>int rados_mon_command(rados_t cluster, const char **cmd, size_t cmdlen, const char *inbuf, size_t inbuflen, char **outbuf,
    /// size_t *outbuflen, char **outs, size_t *outslen)</c>; what comes out is freed with <see cref="rados_buffer_free"/>.</summary>
    [LibraryImport(Library)]
    internal static partial int rados_mon_command(
        ClusterHandle cluster, byte** command, nuint parts, byte* input, nuint inputLength, out byte* output, out nuint outputLength, out byte* status, out nuint statusLength);

    /// <summary>Implements: <c>void rados_buffer_free(char *buf)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rados_buffer_free(byte* buffer);

    /// <summary>Implements: <c>int rados_ioctx_create(rados_t cluster, const char *pool_name, rados_ioctx_t *ioctx)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rados_ioctx_create(ClusterHandle cluster, string pool, out nint ioctx);

    /// <summary>Implements: <c>void rados_ioctx_destroy(rados_ioctx_t io)</c></summary>
    [LibraryImport(Library)]
    internal static partial void rados_ioctx_destroy(nint ioctx);

    /// <summary>Implements: <c>int64_t rados_ioctx_get_id(rados_ioctx_t io)</c>; the pool's id.</summary>
    [LibraryImport(Library)]
    internal static partial long rados_ioctx_get_id(IoContextHandle ioctx);

    /// <summary>Implements: <c>void rados_ioctx_set_namespace(rados_ioctx_t io, const char *nspace)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void rados_ioctx_set_namespace(nint ioctx, string @namespace);

    /// <summary>Implements: <c>int rados_lock_exclusive(rados_ioctx_t io, const char *oid, const char *name, const char *cookie, const
    /// char *desc, struct timeval *duration, uint8_t flags)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rados_lock_exclusive(
        IoContextHandle ioctx, string objectName, string name, string cookie, string description, in Timeval duration, byte flags);

    /// <summary>Implements: <c>int rados_unlock(rados_ioctx_t io, const char *o, const char *name, const char *cookie)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rados_unlock(IoContextHandle ioctx, string objectName, string name, string cookie);

    /// <summary>Implements: <c>int rados_break_lock(rados_ioctx_t io, const char *o, const char *name, const char *client, const char
    /// *cookie)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rados_break_lock(IoContextHandle ioctx, string objectName, string name, string client, string cookie);

    /// <summary>Implements: <c>ssize_t rados_list_lockers(rados_ioctx_t io, const char *o, const char *name, int *exclusive, char *tag,
    /// size_t *tag_len, char *clients, size_t *clients_len, char *cookies, size_t *cookies_len, char *addrs, size_t
    /// *addrs_len)</c></summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint rados_list_lockers(
        IoContextHandle ioctx, string objectName, string name, out int exclusive, byte* tag, ref nuint tagLength,
        byte* clients, ref nuint clientsLength, byte* cookies, ref nuint cookiesLength, byte* addresses, ref nuint addressesLength);
}
