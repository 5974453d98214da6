using RbdBackup.Composition;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;
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

    /// <summary>Reads them.</summary>
    /// <param name="cloud">The cloud; null where nothing says how to log in.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<IReadOnlyCollection<PresentDisk>> ReadAsync(OpenStackCloud? cloud, CancellationToken cancel)
    {
        foreach (var member in await members.ReadAsync(cancel))
        {
            // What Nova and Cinder say counts, where they can be asked: it comes later.
            var (kind, id) = member.Volume is { } v ? ("volume", v) : member.Server is { } s ? ("server", s) : ("image", null);
            _disks[member.Image] = new PresentDisk(member.Image, kind, id, null, member.Project, member.Policy, null);
        }

        var images = await ImagesAsync(cancel);
        foreach (var gone in _disks.Keys.Where(i => !images.Contains(i)).ToList())
        {
            _disks.Remove(gone);
        }

        foreach (var image in images)
        {
            _disks.TryAdd(image, new PresentDisk(image, "image", null, null, null, null, null));
        }

        if (cloud is not null)
        {
            await AskCloudAsync(cloud, images, cancel);
        }

        return _disks.Values;
    }

    private async Task<HashSet<ImageSpec>> ImagesAsync(CancellationToken cancel)
    {
        var wanted = new Dictionary<(string Pool, string Namespace), string?> { [(settings.Ceph.VmsPool, "")] = null, [(settings.Ceph.VolumesPool, "")] = null };
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
            var inPool = (await cluster.ListImagesAsync(pool, ns, cancel)).Where(PoolImages.IsDisk).Select(i => new ImageSpec(pool, ns, i)).ToList();
            images.UnionWith(inPool);
            foreach (var image in policy is null ? [] : inPool)
            {
                Scheduled.TryAdd(image, policy!);
            }
        }

        return images;
    }

    private async Task AskCloudAsync(OpenStackCloud cloud, HashSet<ImageSpec> images, CancellationToken cancel)
    {
        var planner = new CoveragePlanner(NotificationIntake.Meaning(settings), settings.Policies, new VolumePools(settings.Ceph.VolumesPool, settings.Tenants.VolumePools));
        var ofServers = images.Where(i => i.Pool == settings.Ceph.VmsPool && i.Name.Length > Guid.Empty.ToString().Length).ToLookup(i => i.Name[..Guid.Empty.ToString().Length], i => i.Name);
        var servers = new Dictionary<string, Server>();
        await foreach (var server in cloud.Compute.ListServersAsync(new ServerFilter { AllProjects = true }, cancel))
        {
            servers[server.Id] = server;
            foreach (var disk in planner.OfServer(server, ofServers[server.Id]))
            {
                Saw(disk, server.Name);
            }
        }

        await foreach (var volume in cloud.BlockStorage.ListVolumesAsync(new VolumeFilter { AllProjects = true }, cancel))
        {
            var having = volume.Attachments.Select(a => servers.GetValueOrDefault(a.ServerId ?? "")).OfType<Server>().ToList();
            if (planner.OfVolume(volume, having) is { } disk)
            {
                Saw(images.Contains(disk.Image) ? disk : disk.Without($"no image {disk.Image.Name} in pool {disk.Image.Pool}"), volume.Name);
            }
        }
    }

    private void Saw(Disk disk, string? name) => _disks[disk.Image] = new PresentDisk(
        disk.Image, disk.Kind == DiskKind.Server ? "server" : "volume", disk.Id, string.IsNullOrEmpty(name) ? null : name, disk.Project, disk.Policy, disk.Why);
}
