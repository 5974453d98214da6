using RbdBackup.Composition;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Servers;
using RbdBackup.Tenants;
using RbdBackup.Worker;

namespace RbdBackup.Report;

/// <summary>The disks that are there, as Nova, Cinder and the pools show them.</summary>
/// <param name="settings">The configuration.</param>
/// <param name="cluster">The cluster.</param>
/// <param name="members">The disks that tenants protect; what counts where no cloud can be asked.</param>
internal sealed class PresentReader(RbdBackupSettings settings, IImageCluster cluster, Members members)
{
    private readonly Dictionary<ImageSpec, PresentDisk> _disks = [];

    /// <summary>The policies that the operator gave to images and to whole pools.</summary>
    public Dictionary<ImageSpec, string> Scheduled { get; } = [];

    /// <summary>The clusters that could not be asked, of several, each with why; the default one by an empty name. Nothing of theirs counts as gone.</summary>
    public Dictionary<string, RbdBackupException> Silent { get; } = [];

    /// <summary>Reads them.</summary>
    /// <param name="cloud">The cloud; null where nothing says how to log in.</param>
    /// <param name="serverPools">Where its servers' disks may be; null with <paramref name="cloud"/>.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<IReadOnlyCollection<PresentDisk>> ReadAsync(OpenStackCloud? cloud, ServerPools? serverPools, CancellationToken cancel)
    {
        foreach (var member in await MembersAsync(cancel))
        {
            // What Nova and Cinder say counts, where they can be asked: it comes later.
            var (kind, id) = member.Volume is { } v ? ("volume", v) : member.Server is { } s ? ("server", s) : ("image", null);
            _disks[member.Image] = new PresentDisk(member.Image, kind, id, null, member.Project, member.Policy, null);
        }

        var images = await ImagesAsync(cancel);
        foreach (var gone in _disks.Keys.Where(i => !images.Contains(i) && !Silent.ContainsKey(i.Cluster ?? "")).ToList())
        {
            _disks.Remove(gone);
        }

        foreach (var image in images)
        {
            _disks.TryAdd(image, new PresentDisk(image, "image", null, null, null, null, null));
        }

        if (cloud is not null && serverPools is not null)
        {
            await AskCloudAsync(cloud, serverPools, images, cancel);
        }

        return _disks.Values;
    }

    private async Task<IReadOnlyList<Member>> MembersAsync(CancellationToken cancel)
    {
        try
        {
            return await members.ReadAsync(cancel);
        }
        catch (RbdBackupException e) when (settings.Clusters.Count > 0)
        {
            // They are the default cluster's.
            Silent.TryAdd("", e);
            return [];
        }
    }

    private async Task<HashSet<ImageSpec>> ImagesAsync(CancellationToken cancel)
    {
        var wanted = settings.Pools.Servers.Concat(settings.Pools.Volumes).Distinct().ToDictionary(p => (Pool: p, Namespace: ""), _ => (string?)null);
        foreach (var (name, policy) in settings.Policies.Where(p => p.Value.Enabled && p.Key != "none"))
        {
            foreach (var text in policy.Pool)
            {
                wanted[text.Split('/') is [var pool, var ns] ? (pool, ns) : (text, "")] = name;
            }

            foreach (var image in policy.Image)
            {
                Scheduled[ImageSpec.Parse(image)] = name;
            }
        }

        var images = Scheduled.Keys.ToHashSet();
        foreach (var ((pool, ns), policy) in wanted)
        {
            var inPool = await ListAsync(pool, ns, cancel);
            images.UnionWith(inPool);
            foreach (var image in policy is null ? [] : inPool)
            {
                Scheduled.TryAdd(image, policy!);
            }
        }

        return images;
    }

    private async Task<IReadOnlyList<ImageSpec>> ListAsync(string pool, string ns, CancellationToken cancel)
    {
        try
        {
            return [.. (await cluster.ListImagesAsync(pool, ns, cancel)).Where(PoolImages.IsDisk).Select(i => new ImageSpec(pool, ns, i))];
        }
        catch (RbdBackupException e) when (settings.Clusters.Count > 0)
        {
            Silent.TryAdd(ImageSpec.ClusterOf(pool) ?? "", e);
            return [];
        }
    }

    private async Task AskCloudAsync(OpenStackCloud cloud, ServerPools serverPools, HashSet<ImageSpec> images, CancellationToken cancel)
    {
        var planner = new CoveragePlanner(NotificationIntake.Meaning(settings), settings.Policies, settings.Pools);
        var ofServers = images.Where(i => settings.Pools.Servers.Contains(i.Pool) && i.Name.Length > Guid.Empty.ToString().Length).ToLookup(i => i.Name[..Guid.Empty.ToString().Length]);
        var servers = new Dictionary<string, Server>();
        await foreach (var server in cloud.Compute.ListServersAsync(new ServerFilter { AllProjects = true }, cancel))
        {
            servers[server.Id] = server;
            var (place, why) = await PlaceAsync(serverPools, server, cancel);
            var own = ofServers[server.Id].Where(i => place.Pools.Contains(i.Pool)).ToList();
            foreach (var disk in planner.OfServer(server, own))
            {
                Saw(why is null ? disk : disk.Without(why), server.Name);
            }

            if (!place.Pools.Any(IsSilent) && CoveragePlanner.MissingOf(server, own, place) is { } missing)
            {
                Saw(missing, server.Name);
            }
        }

        await foreach (var volume in cloud.BlockStorage.ListVolumesAsync(new VolumeFilter { AllProjects = true }, cancel))
        {
            var having = volume.Attachments.Select(a => servers.GetValueOrDefault(a.ServerId ?? "")).OfType<Server>().ToList();
            if (planner.OfVolume(volume, having) is { } disk)
            {
                Saw(images.Contains(disk.Image) || IsSilent(disk.Image.Pool) ? disk : disk.NotFound($"no image {disk.Image.Name} in pool {disk.Image.Pool}"), volume.Name);
            }
        }
    }

    /// <summary>Where a server's disks may be; and why that can't be said, where its host is named for two clusters.</summary>
    private static async Task<(ServerPlace Place, string? Why)> PlaceAsync(ServerPools serverPools, Server server, CancellationToken cancel)
    {
        try
        {
            return (await serverPools.PlaceAsync(server, cancel), null);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Refused)
        {
            return (new ServerPlace(serverPools.All, null), e.Message);
        }
    }

    /// <summary>True for a pool whose cluster could not be asked.</summary>
    private bool IsSilent(string pool) => Silent.ContainsKey(ImageSpec.ClusterOf(pool) ?? "");

    private void Saw(Disk disk, string? name) => _disks[disk.Image] = new PresentDisk(
        disk.Image, disk.Kind == DiskKind.Server ? "server" : "volume", disk.Id, string.IsNullOrEmpty(name) ? null : name, disk.Project, disk.Policy, disk.Detail ?? disk.Why);
}
