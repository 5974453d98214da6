using System.Runtime.CompilerServices;
using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Ceph;

/// <summary>Records and leases in a pool and namespace of our own. The cluster's connection stays its maker's.</summary>
/// <param name="cluster">The connection.</param>
/// <param name="pool">The pool.</param>
/// <param name="namespace">The namespace in the pool.</param>
/// <param name="leaseDuration">After how long a lease that nobody renews lapses; 60 s where null. It is renewed every third of
/// that.</param>
public sealed class RadosStateStore(CephCluster cluster, string pool, string @namespace, TimeSpan? leaseDuration = null) : IStateStore
{
    private const int NamesAtATime = 256;

    private readonly Lazy<IoContextHandle> _ioctx = new(() => cluster.OpenPool(pool, @namespace));

    internal TimeSpan LeaseDuration { get; } = leaseDuration ?? TimeSpan.FromSeconds(60);

    internal NativeCalls Calls => cluster.Calls;

    /// <inheritdoc/>
    public async Task<ILease> AcquireAsync(string name, CancellationToken cancel)
    {
        var holder = $"{Environment.MachineName}/{Environment.ProcessId}";

        // Unique: a lock that this connection took before, and that has not lapsed yet, must not pass for this one. The holder is in
        // front, for who asks.
        var held = new ClsLock(name, $"{holder}/{Guid.NewGuid():N}", holder, LeaseDuration, Subject(name));
        var sent = Calls.Time.GetTimestamp();
        try
        {
            await OnPoolAsync("rados_lock_exclusive", name, held.Acquire, cancel);
        }
        catch (CephException e) when (e.Kind == ErrorKind.Busy)
        {
            var other = await GetHolderAsync(name, cancel) ?? "somebody who has just given it back";
            throw new RbdBackupException(
                ErrorKind.Busy, $"The lease of {name} is held by {other}",
                $"Wait for that process to end; if it is dead, its lease lapses within {LeaseDuration.TotalSeconds:0} s.", e);
        }

        return new RadosLease(this, name, held, sent);
    }

    /// <inheritdoc/>
    public async Task<string?> GetHolderAsync(string name, CancellationToken cancel)
    {
        string? cookie = null;
        await OnPoolAsync("rados_list_lockers", name, ioctx => cookie = ClsLock.FindCookie(ioctx, name, Subject(name)), cancel);
        return cookie is null ? null : cookie[..Math.Max(0, cookie.LastIndexOf('/'))];
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        ObjectListHandle? list = null;
        try
        {
            await OnPoolAsync("rados_nobjects_list_open", "", ioctx => list = new ObjectListHandle(ioctx, Subject("")), cancel);
            for (var more = true; more;)
            {
                var names = new List<string>(NamesAtATime);
                await Calls.RunAsync("rados_nobjects_list_next", Subject(""), () => more = ReadNames(list!, names), cancel);
                foreach (var name in names)
                {
                    yield return name;
                }
            }
        }
        finally
        {
            list?.Dispose();
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(string name, CancellationToken cancel)
    {
        Dictionary<string, byte[]> records = [];
        await OnPoolAsync("rados_read_op_operate", name, ioctx => records = Omap.Read(ioctx, name, Subject(name)), cancel);
        return records;
    }

    /// <inheritdoc/>
    public Task WriteUnleasedAsync(string name, string key, byte[] value, CancellationToken cancel) =>
        OperateAsync(name, operation => Omap.Set(operation, new Dictionary<string, byte[]> { [key] = value }), cancel);

    /// <summary>Closes the store; leases that are still held lapse.</summary>
    public ValueTask DisposeAsync()
    {
        if (_ioctx.IsValueCreated)
        {
            _ioctx.Value.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    internal Task OperateAsync(string name, Action<WriteOpHandle> compose, CancellationToken cancel) =>
        OnPoolAsync(
            "rados_write_op_operate2", name,
            ioctx =>
            {
                using var operation = new WriteOpHandle();
                compose(operation);
                var result = Rados.rados_write_op_operate2(operation, ioctx, name, mtime: 0, flags: 0);
                ThrowHelper.Check(result, "rados_write_op_operate2", Subject(name));
            },
            cancel);

    internal Task OnPoolAsync(string call, string name, Action<IoContextHandle> body, CancellationToken cancel) =>
        Calls.RunAsync(call, Subject(name), () => body(_ioctx.Value), cancel);

    private static unsafe bool ReadNames(ObjectListHandle list, List<string> names)
    {
        while (names.Count < NamesAtATime)
        {
            var result = Rados.rados_nobjects_list_next(list, out var entry, 0, 0);
            if (result == -Errno.ENOENT)
            {
                return false;
            }

            ThrowHelper.Check(result, "rados_nobjects_list_next", "the state pool");
            names.Add(NativeList.Text(entry));
        }

        return true;
    }

    private string Subject(string name) => $"{pool}/{@namespace}/{name}";
}
