using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;
using RbdBackup.OpenStack.Images;

namespace RbdBackup.Tenants;

/// <summary>What there is in the cloud: asked for now, or as listings showed it.</summary>
internal interface ICloudView
{
    /// <summary>A server; null where there is none.</summary>
    Task<Server?> ServerAsync(string id, CancellationToken cancel);

    /// <summary>A volume; null where there is none.</summary>
    Task<Volume?> VolumeAsync(string id, CancellationToken cancel);

    /// <summary>The images in the pool of Nova's disks that begin with a server's id.</summary>
    Task<IReadOnlyList<string>> ImagesOfServerAsync(string id, CancellationToken cancel);

    /// <summary>True where there is such an image.</summary>
    Task<bool> HasImageAsync(ImageSpec image, CancellationToken cancel);
}

/// <summary>Asks Nova, Cinder and Ceph.</summary>
internal sealed class LiveView(OpenStackCloud cloud, IImageCluster cluster, string serverPool) : ICloudView
{
    /// <inheritdoc/>
    public async Task<Server?> ServerAsync(string id, CancellationToken cancel) =>
        await FoundAsync(() => cloud.Compute.GetServerAsync(id, cancel)) is { Status: not ("DELETED" or "SOFT_DELETED") } server ? server : null;

    /// <inheritdoc/>
    public Task<Volume?> VolumeAsync(string id, CancellationToken cancel) => FoundAsync(() => cloud.BlockStorage.GetVolumeAsync(id, cancel));

    /// <summary>A Cinder snapshot; null where there is none.</summary>
    public Task<VolumeSnapshot?> SnapshotAsync(string id, CancellationToken cancel) => FoundAsync(() => cloud.BlockStorage.GetSnapshotAsync(id, cancel));

    /// <summary>An image in Glance; null where there is none.</summary>
    public Task<GlanceImage?> ImageAsync(string id, CancellationToken cancel) => FoundAsync(() => cloud.Images.GetAsync(id, cancel));

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ImagesOfServerAsync(string id, CancellationToken cancel) =>
        [.. (await cluster.ListImagesAsync(serverPool, "", cancel)).Where(i => i.StartsWith(id, StringComparison.Ordinal))];

    /// <inheritdoc/>
    public async Task<bool> HasImageAsync(ImageSpec image, CancellationToken cancel) => await FoundAsync(() => cluster.FindAsync(image, cancel)) is not null;

    private static async Task<T?> FoundAsync<T>(Func<Task<T>> get)
        where T : class?
    {
        try
        {
            return await get();
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }
}

/// <summary>What listings showed of those servers and volumes that may matter; what they did not show, another view says.</summary>
internal sealed class ListedView(ICloudView live, IImageCluster cluster, string serverPool) : ICloudView
{
    private readonly Dictionary<string, HashSet<string>> _pools = [];
    private ILookup<string, string>? _ofServers;

    /// <summary>Servers that may matter, by id.</summary>
    public Dictionary<string, Server> Servers { get; } = [];

    /// <summary>Volumes that may matter, by id.</summary>
    public Dictionary<string, Volume> Volumes { get; } = [];

    /// <inheritdoc/>
    public Task<Server?> ServerAsync(string id, CancellationToken cancel) => Task.FromResult(Servers.GetValueOrDefault(id));

    /// <inheritdoc/>
    public async Task<Volume?> VolumeAsync(string id, CancellationToken cancel) => Volumes.GetValueOrDefault(id) ?? await live.VolumeAsync(id, cancel);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ImagesOfServerAsync(string id, CancellationToken cancel)
    {
        _ofServers ??= (await PoolAsync(serverPool, cancel)).Where(i => i.Length > id.Length).ToLookup(i => i[..id.Length]);
        return [.. _ofServers[id]];
    }

    /// <inheritdoc/>
    public async Task<bool> HasImageAsync(ImageSpec image, CancellationToken cancel) => (await PoolAsync(image.Pool, cancel)).Contains(image.Name);

    private async Task<HashSet<string>> PoolAsync(string pool, CancellationToken cancel)
    {
        if (!_pools.TryGetValue(pool, out var images))
        {
            _pools[pool] = images = await ListAsync(pool, cancel);
        }

        return images;
    }

    private async Task<HashSet<string>> ListAsync(string pool, CancellationToken cancel)
    {
        try
        {
            return [.. await cluster.ListImagesAsync(pool, "", cancel)];
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // No such pool: a wrong [tenants] volume_pools, which shows in each volume's reason.
            return [];
        }
    }
}
