using Microsoft.Extensions.Logging;
using RbdBackup.Ceph;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Composition;

/// <summary>
/// One cluster, connected to when it is first needed. One that could not be reached is not tried again for a moment: what is asked of it fails at once, so that
/// work on other clusters does not wait for it.
/// </summary>
internal sealed partial class CephConnection(CephSettings ceph, string user, bool isOnly, TimeProvider time, ILogger log) : IAsyncDisposable
{
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(15);
    private readonly SemaphoreSlim _turn = new(1);
    private volatile CephCluster? _cluster;
    private RadosStateStore? _state;
    private RbdBackupException? _failed;
    private long _failedAt;

    /// <summary>The cluster's name; null for the default one.</summary>
    public string? Name => ceph.Name;

    /// <summary>The cluster's fsid; null while it was not reached.</summary>
    public string? Fsid => _cluster?.Fsid;

    /// <summary>The cluster.</summary>
    /// <param name="judge">Says what is wrong with it, once it is reached.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException">As <see cref="CephCluster.ConnectAsync"/> gives it, with the cluster's name.</exception>
    public async Task<CephCluster> ClusterAsync(Action<CephCluster> judge, CancellationToken cancel)
    {
        if (_cluster is { } there)
        {
            return there;
        }

        await _turn.WaitAsync(cancel);
        try
        {
            return _cluster ?? (_failed is { } e && time.GetElapsedTime(_failedAt) < Moment ? throw Again(e) : await ConnectAsync(judge, cancel));
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Leases and records of what is in the cluster.</summary>
    public async Task<IStateStore> StateAsync(Action<CephCluster> judge, CancellationToken cancel)
    {
        var cluster = await ClusterAsync(judge, cancel);
        lock (_turn)
        {
            return _state ??= new RadosStateStore(cluster, ceph.StatePool, ceph.StateNamespace, ceph.LeaseDuration);
        }
    }

    /// <summary>Closes the state; leases that are still held lapse.</summary>
    public ValueTask CloseStateAsync() => _state?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CloseStateAsync();
        await (_cluster?.DisposeAsync() ?? ValueTask.CompletedTask);
        _turn.Dispose();
    }

    private async Task<CephCluster> ConnectAsync(Action<CephCluster> judge, CancellationToken cancel)
    {
        CephCluster? made = null;
        try
        {
            made = await CephCluster.ConnectAsync(
                new CephOptions
                {
                    Name = ceph.Name,
                    ConfFile = ceph.Conf,
                    User = user,
                    ClusterName = ceph.Cluster,
                    CallDeadline = ceph.CallDeadline,
                    OnSlow = LogSlow,
                    Time = time,
                },
                cancel);
            judge(made);
            _failed = null;
            return _cluster = made;
        }
        catch (RbdBackupException e)
        {
            await (made?.DisposeAsync() ?? ValueTask.CompletedTask);
            if (isOnly)
            {
                throw;
            }

            // No configuration file, no keyring: nobody may take that for an image that is not there.
            var kind = e.Kind == ErrorKind.NotFound ? ErrorKind.Unavailable : e.Kind;
            _failed = new RbdBackupException(kind, $"cluster {Name ?? "of [ceph]"}: {e.Message}", e.Remedy, e);
            _failedAt = time.GetTimestamp();
            throw Again(_failed);
        }
    }

    [LoggerMessage(1100, LogLevel.Warning, "{Call} on {Image} has waited for {Seconds:0} s: look at 'ceph health detail' for slow OSDs, and at 'rbd lock ls' for who holds the image")]
    private partial void LogSlow(string call, string image, double seconds);

    /// <summary>An exception of one's own for each who hears of it.</summary>
    private static RbdBackupException Again(RbdBackupException e) => new(e.Kind, e.Message, e.Remedy, e);
}
