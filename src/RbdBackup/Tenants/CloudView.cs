using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;
using RbdBackup.OpenStack.Images;
using RbdBackup.Servers;

namespace RbdBackup.Tenants;

/// <summary>What there is in the cloud: asked for now, or as listings showed it.</summary>
internal interface ICloudView
{
    /// <summary>A server; null where there is none.</summary>
    Task<Server?> ServerAsync(string id, CancellationToken cancel);

    /// <summary>A volume; null where there is none.</summary>
    Task<Volume?> VolumeAsync(string id, CancellationToken cancel);

    /// <summary>Where a server's disks may be.</summary>
    /// <exception cref="RbdBackupException">As <see cref="ServerPools.PlaceAsync"/>.</exception>
    Task<ServerPlace> PlaceOfServerAsync(Server server, CancellationToken cancel);

    /// <summary>The images in the pool of Nova's disks that begin with a server's id.</summary>
    /// <exception cref="RbdBackupException">As <see cref="ServerPools.PlaceAsync"/> and <see cref="PoolPlanner.Choose"/>.</exception>
    Task<IReadOnlyList<ImageSpec>> ImagesOfServerAsync(Server server, CancellationToken cancel);

    /// <summary>True where there is such an image.</summary>
    Task<bool> HasImageAsync(ImageSpec image, CancellationToken cancel);
}

/// <summary>Asks Nova, Cinder and Ceph.</summary>
internal sealed class LiveView(OpenStackCloud cloud, IImageCluster cluster, ServerPools serverPools) : ICloudView
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
    public Task<ServerPlace> PlaceOfServerAsync(Server server, CancellationToken cancel) => serverPools.PlaceAsync(server, cancel);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ImageSpec>> ImagesOfServerAsync(Server server, CancellationToken cancel) =>
        await new DiskSearch(cluster, await serverPools.OfAsync(server, cancel)).ImagesAsync(server.Id, cancel);

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
internal sealed class ListedView(ICloudView live, IImageCluster cluster, ServerPools serverPools) : ICloudView
{
    private readonly Dictionary<string, (HashSet<string> Images, RbdBackupException? Error)> _pools = [];
    private readonly Dictionary<string, ILookup<string, string>> _ofServers = [];

    /// <summary>Servers that may matter, by id.</summary>
    public Dictionary<string, Server> Servers { get; } = [];

    /// <summary>Volumes that may matter, by id.</summary>
    public Dictionary<string, Volume> Volumes { get; } = [];

    /// <inheritdoc/>
    public Task<Server?> ServerAsync(string id, CancellationToken cancel) => Task.FromResult(Servers.GetValueOrDefault(id));

    /// <inheritdoc/>
    public async Task<Volume?> VolumeAsync(string id, CancellationToken cancel) => Volumes.GetValueOrDefault(id) ?? await live.VolumeAsync(id, cancel);

    /// <inheritdoc/>
    public Task<ServerPlace> PlaceOfServerAsync(Server server, CancellationToken cancel) => serverPools.PlaceAsync(server, cancel);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ImageSpec>> ImagesOfServerAsync(Server server, CancellationToken cancel)
    {
        var (id, sights) = (server.Id, new List<PoolSight>());
        foreach (var pool in await serverPools.OfAsync(server, cancel))
        {
            var (images, error) = await PoolAsync(pool, cancel);
            if (!_ofServers.TryGetValue(pool, out var ofServers))
            {
                _ofServers[pool] = ofServers = images.Where(i => i.Length > id.Length).ToLookup(i => i[..id.Length]);
            }

            sights.Add(new PoolSight(pool, [.. ofServers[id]], error));
        }

        return PoolPlanner.Choose($"server {id}", sights) is { } chosen ? [.. sights.First(s => s.Pool == chosen).Images.Select(i => new ImageSpec(chosen, i))] : [];
    }

    /// <inheritdoc/>
    public async Task<bool> HasImageAsync(ImageSpec image, CancellationToken cancel)
    {
        var (images, error) = await PoolAsync(image.Pool, cancel);
        return error is null ? images.Contains(image.Name) : throw error;
    }

    private async Task<(HashSet<string> Images, RbdBackupException? Error)> PoolAsync(string pool, CancellationToken cancel)
    {
        if (!_pools.TryGetValue(pool, out var images))
        {
            _pools[pool] = images = await ListAsync(pool, cancel);
        }

        return images;
    }

    private async Task<(HashSet<string> Images, RbdBackupException? Error)> ListAsync(string pool, CancellationToken cancel)
    {
        try
        {
            return ([.. await cluster.ListImagesAsync(pool, "", cancel)], null);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // No such pool: a wrong [tenants] volume_pools, which shows in each volume's reason.
            return ([], null);
        }
        catch (RbdBackupException e)
        {
            // Its cluster can't be asked: what is in others can be judged.
            return ([], e);
        }
    }
}
