using System.Runtime.CompilerServices;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Composition;

/// <summary>The leases and records of all clusters as one: a name with a cluster's in front of it (<see cref="StateKeys.Split"/>) is an object in that one.</summary>
internal sealed class ClusterStates(CephClusters clusters) : IStateStore
{
    /// <inheritdoc/>
    public async Task<ILease> AcquireAsync(string name, CancellationToken cancel)
    {
        var (state, within) = await OfAsync(name, cancel);
        return new NamedLease(await state.AcquireAsync(within, cancel), name);
    }

    /// <inheritdoc/>
    public async Task<string?> GetHolderAsync(string name, CancellationToken cancel)
    {
        var (state, within) = await OfAsync(name, cancel);
        return await state.GetHolderAsync(within, cancel);
    }

    /// <summary>The names of all objects. Where a cluster can't be asked, those of the others come first, and then the error.</summary>
    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        RbdBackupException? failed = null;
        foreach (var cluster in clusters.Names)
        {
            var names = new List<string>();
            try
            {
                names = await (await clusters.StateOfAsync(cluster, cancel)).ListAsync(cancel).ToListAsync(cancel);
            }
            catch (RbdBackupException e)
            {
                failed ??= e;
            }

            foreach (var name in names)
            {
                yield return cluster is null ? name : $"{cluster}{ImageSpec.ClusterEnd}{name}";
            }
        }

        if (failed is not null)
        {
            throw failed;
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(string name, CancellationToken cancel)
    {
        var (state, within) = await OfAsync(name, cancel);
        return await state.ReadAsync(within, cancel);
    }

    /// <inheritdoc/>
    public async Task WriteUnleasedAsync(string name, string key, byte[] value, CancellationToken cancel)
    {
        var (state, within) = await OfAsync(name, cancel);
        await state.WriteUnleasedAsync(within, key, value, cancel);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => clusters.CloseStateAsync();

    private async Task<(IStateStore State, string Name)> OfAsync(string name, CancellationToken cancel)
    {
        var (cluster, within) = StateKeys.Split(name);
        return (await clusters.StateOfAsync(cluster, cancel), within);
    }

    /// <summary>A lease under the name that it was asked for by.</summary>
    private sealed class NamedLease(ILease lease, string name) : ILease
    {
        public string Name => name;

        public CancellationToken Lost => lease.Lost;

        public Task UpdateAsync(IReadOnlyDictionary<string, byte[]> set, IReadOnlyCollection<string> remove, CancellationToken cancel) => lease.UpdateAsync(set, remove, cancel);

        public Task DeleteAsync(CancellationToken cancel) => lease.DeleteAsync(cancel);

        public ValueTask DisposeAsync() => lease.DisposeAsync();
    }
}
