using Microsoft.Extensions.Logging;
using RbdBackup.Ceph;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Composition;

/// <summary>
/// All clusters as one: what is asked of a pool goes to the cluster whose name stands before it, <c>NAME:POOL</c>, else to the default one. A cluster that can't be
/// reached fails what is asked of it, and nothing else.
/// </summary>
internal sealed class CephClusters : IImageCluster
{
    private readonly List<CephConnection> _connections;

    private CephClusters(IEnumerable<CephConnection> connections) => _connections = [.. connections];

    /// <summary>The names of the clusters, null for the default one, which is the first.</summary>
    public IEnumerable<string?> Names => _connections.Select(c => c.Name);

    /// <summary>Opens all of them. The only one is connected to at once; of several, each when it is first needed.</summary>
    /// <param name="settings">The configuration.</param>
    /// <param name="user">The cephx user in a cluster.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Told of reads and writes that wait long.</param>
    /// <param name="cancel">Ends the wait.</param>
    public static async Task<CephClusters> OpenAsync(RbdBackupSettings settings, Func<CephSettings, string> user, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        var clusters = new CephClusters(settings.AllClusters.Select(c => new CephConnection(c, user(c), settings.Clusters.Count == 0, time, log)));
        try
        {
            if (clusters._connections is [var only])
            {
                await only.ClusterAsync(clusters.RefuseTwin, cancel);
            }

            return clusters;
        }
        catch
        {
            await clusters.DisposeAsync();
            throw;
        }
    }

    /// <summary>The leases and records of a cluster; null is the default one.</summary>
    public Task<IStateStore> StateOfAsync(string? name, CancellationToken cancel) => Connection(name).StateAsync(RefuseTwin, cancel);

    /// <summary>Closes the leases and records of all of them.</summary>
    public async ValueTask CloseStateAsync()
    {
        foreach (var connection in _connections)
        {
            await connection.CloseStateAsync();
        }
    }

    /// <inheritdoc/>
    public async Task<string> GetFsidAsync(string pool, CancellationToken cancel) => (await OfAsync(pool, cancel)).Fsid;

    /// <inheritdoc/>
    public async Task<long> GetFreeBytesAsync(string pool, CancellationToken cancel) => await (await OfAsync(pool, cancel)).GetFreeBytesAsync(pool, cancel);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ListImagesAsync(string pool, string @namespace, CancellationToken cancel) =>
        await (await OfAsync(pool, cancel)).ListImagesAsync(pool, @namespace, cancel);

    /// <inheritdoc/>
    public async Task<ImageInfo?> FindAsync(ImageSpec spec, CancellationToken cancel) => await (await OfAsync(spec.Pool, cancel)).FindAsync(spec, cancel);

    /// <inheritdoc/>
    public async Task<IImage> OpenAsync(ImageSpec spec, bool writable, CancellationToken cancel) => await (await OfAsync(spec.Pool, cancel)).OpenAsync(spec, writable, cancel);

    /// <inheritdoc/>
    public async Task<(IImage Image, ImageInfo Info)> OpenSnapshotAsync(ImageSpec spec, ulong snapshotId, CancellationToken cancel) =>
        await (await OfAsync(spec.Pool, cancel)).OpenSnapshotAsync(spec, snapshotId, cancel);

    /// <inheritdoc/>
    public async Task<IImage> OpenByIdAsync(string pool, string @namespace, string imageId, bool writable, CancellationToken cancel) =>
        await (await OfAsync(pool, cancel)).OpenByIdAsync(pool, @namespace, imageId, writable, cancel);

    /// <inheritdoc/>
    public async Task CreateAsync(ImageSpec spec, long size, ImageLayout layout, CancellationToken cancel) =>
        await (await OfAsync(spec.Pool, cancel)).CreateAsync(spec, size, layout, cancel);

    /// <inheritdoc/>
    public async Task RenameAsync(ImageSpec spec, string newName, CancellationToken cancel) => await (await OfAsync(spec.Pool, cancel)).RenameAsync(spec, newName, cancel);

    /// <inheritdoc/>
    public async Task RemoveAsync(ImageSpec spec, CancellationToken cancel) => await (await OfAsync(spec.Pool, cancel)).RemoveAsync(spec, cancel);

    /// <inheritdoc/>
    public async Task TrashMoveAsync(ImageSpec spec, TimeSpan deferment, CancellationToken cancel) =>
        await (await OfAsync(spec.Pool, cancel)).TrashMoveAsync(spec, deferment, cancel);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<TrashEntry>> TrashListAsync(string pool, string @namespace, CancellationToken cancel) =>
        await (await OfAsync(pool, cancel)).TrashListAsync(pool, @namespace, cancel);

    /// <inheritdoc/>
    public async Task TrashRestoreAsync(string pool, string @namespace, string imageId, string name, CancellationToken cancel) =>
        await (await OfAsync(pool, cancel)).TrashRestoreAsync(pool, @namespace, imageId, name, cancel);

    /// <inheritdoc/>
    public async Task TrashRemoveAsync(string pool, string @namespace, string imageId, CancellationToken cancel) =>
        await (await OfAsync(pool, cancel)).TrashRemoveAsync(pool, @namespace, imageId, cancel);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
        {
            await connection.DisposeAsync();
        }
    }

    private Task<CephCluster> OfAsync(string pool, CancellationToken cancel) => Connection(ImageSpec.ClusterOf(pool)).ClusterAsync(RefuseTwin, cancel);

    private CephConnection Connection(string? name) => _connections.Find(c => c.Name == name) ?? throw new RbdBackupException(
        ErrorKind.Usage, $"there is no cluster '{name}'",
        $"Clusters are the default one, whose pools have no name before them{string.Concat(Names.OfType<string>().Select(n => $", and {n}"))}. Add [ceph:{name}] for a new one.");

    /// <summary>One cluster under two names would be backed up twice, each disk found in two of them.</summary>
    private void RefuseTwin(CephCluster cluster)
    {
        if (_connections.Find(c => c.Fsid == cluster.Fsid) is { } twin)
        {
            throw new RbdBackupException(
                ErrorKind.Usage, $"it is the same cluster (fsid {cluster.Fsid}) as {(twin.Name is null ? "the default one" : twin.Name)}", "Its conf is another's; or take one of the sections out.");
        }
    }
}
