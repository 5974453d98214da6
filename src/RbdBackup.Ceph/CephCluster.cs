using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Ceph;

/// <summary>A connection to a Ceph cluster, shared by all the images that are opened through it.</summary>
public sealed partial class CephCluster : IImageCluster
{
    private readonly ClusterHandle _handle;
    private readonly string? _name;

    private CephCluster(ClusterHandle handle, NativeCalls calls, string fsid, string? name)
    {
        _handle = handle;
        _name = name;
        Calls = calls;
        Fsid = fsid;
        ClientId = (long)Rados.rados_get_instance_id(handle);
    }

    /// <summary>The cluster's fsid, a UUID.</summary>
    public string Fsid { get; }

    /// <summary>This connection's id, the N of <c>client.N</c>: its watches and locks carry it.</summary>
    public long ClientId { get; }

    internal NativeCalls Calls { get; }

    /// <inheritdoc/>
    public Task<string> GetFsidAsync(string pool, CancellationToken cancel) => Task.FromResult(Fsid);

    /// <summary>Connects.</summary>
    /// <exception cref="RbdBackupException">NotFound: no ceph.conf, or no keyring; Permission: wrong key; Unavailable: no monitor answered;
    /// Unsupported: librados or librbd is not installed.</exception>
    public static async Task<CephCluster> ConnectAsync(CephOptions options, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(options);
        var calls = new NativeCalls(options);

        // librados ends the attempt by itself after the timeout; ours is longer, so that its error, which says more, is the one that is
        // seen.
        var patience = options.ConnectTimeout + TimeSpan.FromSeconds(10);
        return await calls.RunAsync("rados_connect", options.User, () => Connect(options, calls), cancel, patience);
    }

    /// <summary>The id of a pool.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/>.</exception>
    public Task<long> GetPoolIdAsync(string pool, CancellationToken cancel) =>
        Calls.RunAsync(
            "rados_pool_lookup", pool,
            () => ThrowHelper.Check(Rados.rados_pool_lookup(_handle, Within(pool)), "rados_pool_lookup", $"pool {pool}"), cancel);

    /// <summary>The name of a pool.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/>.</exception>
    public Task<string> GetPoolNameAsync(long poolId, CancellationToken cancel) =>
        Calls.RunAsync("rados_pool_reverse_lookup", $"pool {poolId}", () => PoolName(poolId), cancel);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _handle.CloseAsync(Calls.Deadline, Calls.Time);

    internal unsafe string PoolName(long poolId) =>
        NativeList.Name(
            "rados_pool_reverse_lookup", $"pool {poolId}",
            (byte* buffer, ref nuint length) => Rados.rados_pool_reverse_lookup(_handle, poolId, buffer, length));

    internal IoContextHandle OpenPool(string pool, string @namespace) => new(_handle, Within(pool), @namespace);

    /// <summary>A pool's own name: callers may have put the cluster's in front.</summary>
    internal string Within(string pool) => _name is not null && ImageSpec.ClusterOf(pool) == _name ? ImageSpec.PoolWithin(pool) : pool;

    private static CephCluster Connect(CephOptions options, NativeCalls calls)
    {
        ClusterHandle? handle = null;
        try
        {
            handle = new ClusterHandle(options.ClusterName, options.User);
            var conf = options.ConfFile ?? $"the default ceph.conf of cluster {options.ClusterName}";
            ThrowHelper.Check(Rados.rados_conf_read_file(handle, options.ConfFile), "rados_conf_read_file", conf);
            foreach (var (name, value) in Settings(options))
            {
                ThrowHelper.Check(Rados.rados_conf_set(handle, name, value), "rados_conf_set", $"{name} = {value}");
            }

            ThrowHelper.Check(Rados.rados_connect(handle), "rados_connect", options.User);
            return new CephCluster(handle, calls, ReadFsid(handle), options.Name);
        }
        catch (DllNotFoundException e)
        {
            throw new RbdBackupException(
                ErrorKind.Unsupported, $"Ceph's client libraries can't be loaded: {e.Message}",
                "Install the packages librados2 and librbd1.", e);
        }
        catch
        {
            handle?.Dispose();
            throw;
        }
    }

    private static IEnumerable<(string Name, string Value)> Settings(CephOptions options)
    {
        var osd = ((long)options.OsdOperationTimeout.TotalSeconds).ToString();
        var mon = ((long)options.ConnectTimeout.TotalSeconds).ToString();
        yield return ("client_mount_timeout", mon);
        yield return ("rados_mon_op_timeout", mon);
        yield return ("rados_osd_op_timeout", osd);

        // librbd breaks the lock of an owner whose watch has lapsed: a guest whose hypervisor was stalled. With true it asks for the
        // owner's blocklisting first, and stops there when it is refused, as it is to a user with mon 'allow r'. With false it breaks the
        // lock at once, with nobody fenced off. So: true, always.
        yield return ("rbd_blocklist_on_break_lock", "true");

        // A cache would copy what is read once, and hold back writes that Flush has to wait for.
        yield return ("rbd_cache", "false");
    }

    private static unsafe string ReadFsid(ClusterHandle handle) =>
        NativeList.Name(
            "rados_cluster_fsid", "the cluster",
            (byte* buffer, ref nuint length) => Math.Min(0, Rados.rados_cluster_fsid(handle, buffer, length)));

    private Task<T> OnPoolAsync<T>(
        string call, string subject, string pool, string @namespace, Func<IoContextHandle, T> body, CancellationToken cancel) =>
        Calls.RunAsync(
            call, subject,
            () =>
            {
                using var ioctx = OpenPool(pool, @namespace);
                return body(ioctx);
            },
            cancel);

    private Task OnImageAsync(string call, ImageSpec spec, Func<IoContextHandle, Progress, int> body, CancellationToken cancel) =>
        OnImageAsync(call, spec.ToString(), spec.Pool, spec.Namespace, body, cancel);

    private Task OnImageAsync(
        string call, string subject, string pool, string @namespace, Func<IoContextHandle, Progress, int> body, CancellationToken cancel) =>
        Calls.RunAsync(
            call, subject,
            progress =>
            {
                using var ioctx = OpenPool(pool, @namespace);
                ThrowHelper.Check(body(ioctx, progress), call, subject);
            },
            cancel);
}
