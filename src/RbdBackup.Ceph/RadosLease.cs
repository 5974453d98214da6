using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Ceph;

/// <summary>A lease that renews itself until it is disposed or lost.</summary>
internal sealed class RadosLease : ILease
{
    private readonly RadosStateStore _store;
    private readonly ClsLock _lock;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly ITimer _lapse;
    private readonly Task _renewing;

    /// <summary>A lease whose lock was taken by an operation that was sent at <paramref name="sent"/>, a timestamp of the store's
    /// clock.</summary>
    public RadosLease(RadosStateStore store, string name, ClsLock held, long sent)
    {
        (_store, Name, _lock) = (store, name, held);
        _lapse = store.Calls.Time.CreateTimer(_ => _lost.Cancel(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Prolong(sent);
        _renewing = RenewAsync();
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public CancellationToken Lost => _lost.Token;

    /// <inheritdoc/>
    public async Task UpdateAsync(IReadOnlyDictionary<string, byte[]> set, IReadOnlyCollection<string> remove, CancellationToken cancel)
    {
        await OperateAsync(
            operation =>
            {
                Omap.Set(operation, set);
                Omap.Remove(operation, remove);
            },
            cancel);
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(CancellationToken cancel)
    {
        await OperateAsync(Rados.rados_write_op_remove, cancel);
        await _lost.CancelAsync();
    }

    private async Task OperateAsync(Action<WriteOpHandle> compose, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_ended.IsCancellationRequested, this);
        if (_lost.IsCancellationRequested)
        {
            throw LeaseLost(null);
        }

        try
        {
            await _store.OperateAsync(
                Name,
                operation =>
                {
                    _lock.Assert(operation);
                    compose(operation);
                },
                cancel);
        }
        catch (CephException e) when (e.Kind == ErrorKind.Busy)
        {
            await _lost.CancelAsync();
            throw LeaseLost(e);
        }
    }

    /// <summary>Gives the lease back. Where the cluster does not answer, or the store was closed before, it lapses.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_ended.IsCancellationRequested)
        {
            return;
        }

        await _ended.CancelAsync();
        await _renewing;
        await _lapse.DisposeAsync();
        try
        {
            await _store.OnPoolAsync("rados_unlock", Name, _lock.Release, CancellationToken.None);
        }
        catch (Exception e) when (e is CephException { IsTransient: true } or ObjectDisposedException)
        {
        }
    }

    private RbdBackupException LeaseLost(Exception? inner) =>
        new(ErrorKind.Busy, $"The lease of {Name} is lost; nothing was changed", "Another process may work on it now; start again.", inner);

    private async Task RenewAsync()
    {
        using var timer = new PeriodicTimer(_store.LeaseDuration / 3, _store.Calls.Time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token, _lost.Token);
        try
        {
            while (await timer.WaitForNextTickAsync(end.Token))
            {
                await TryRenewAsync(end.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed or lost.
        }
    }

    private async Task TryRenewAsync(CancellationToken cancel)
    {
        // The OSD counts from when it gets the message, which is later: so, counted from here, we never think it ours for longer than it
        // does.
        var sent = _store.Calls.Time.GetTimestamp();
        try
        {
            await _store.OnPoolAsync("rados_lock_exclusive", Name, _lock.Renew, cancel);
            Prolong(sent);
        }
        catch (CephException e) when (e.Kind is ErrorKind.NotFound or ErrorKind.Busy)
        {
            await _lost.CancelAsync();
        }
        catch (Exception e) when (e is CephException or ObjectDisposedException)
        {
            // No answer, or the store was closed: the next try may do better, until the lease has lapsed.
        }
    }

    private void Prolong(long sent)
    {
        var left = _store.LeaseDuration - _store.Calls.Time.GetElapsedTime(sent);
        _lapse.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
