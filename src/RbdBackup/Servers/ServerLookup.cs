using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>Asks Nova, Cinder and Ceph what a server is and which disks it has.</summary>
internal sealed class ServerLookup(OpenStackCloud cloud, IImageCluster cluster, DiskPools pools, ServerPools serverPools, LibvirtGuest? libvirt)
{
    /// <summary>The server with this id, or the only one with this name.</summary>
    /// <param name="cloud">The cloud.</param>
    /// <param name="idOrName">Its id or name.</param>
    /// <param name="project">The project whose servers count by name; null: all.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException">NotFound; Usage where several have the name.</exception>
    public static async Task<Server> FindAsync(OpenStackCloud cloud, string idOrName, string? project, CancellationToken cancel)
    {
        if (Guid.TryParseExact(idOrName, "D", out var id))
        {
            return await cloud.Compute.GetServerAsync(id.ToString("D"), cancel);
        }

        // Nova takes the name for a regular expression.
        var filter = new ServerFilter { AllProjects = true, ProjectId = project, Name = $"^{System.Text.RegularExpressions.Regex.Escape(idOrName)}$" };
        var found = await cloud.Compute.ListServersAsync(filter, cancel).Where(s => s.Name == idOrName).ToListAsync(cancel);
        return found switch
        {
            [var one] => one,
            [] => throw new RbdBackupException(ErrorKind.NotFound, $"there is no server '{idOrName}'", "'openstack server list --all-projects' shows them."),
            _ => throw new RbdBackupException(
                ErrorKind.Usage, $"{found.Count} servers have the name '{idOrName}': {string.Join(", ", found.Select(s => s.Id))}", "Give the id, or --project."),
        };
    }

    /// <summary>The disks of a server.</summary>
    public async Task<ServerSight> LookAsync(Server server, CancellationToken cancel)
    {
        var images = new List<ImageSpec>();
        var serverPool = await new DiskSearch(cluster, await serverPools.OfAsync(server, cancel)).OfAsync(server.Id, cancel);
        foreach (var suffix in ServerDiskPlanner.Suffixes)
        {
            await AddAsync($"{server.Id}_disk{suffix}");
        }

        for (var n = 0; await AddAsync($"{server.Id}_disk.eph{n}"); n++)
        {
        }

        var volumes = new List<VolumeSight>();
        foreach (var attachment in await cloud.Compute.ListVolumesAsync(server.Id, cancel))
        {
            var volume = await cloud.BlockStorage.GetVolumeAsync(attachment.VolumeId, cancel);
            volumes.Add(new VolumeSight(attachment, volume, await FindImageAsync(volume, cancel)));
        }

        return new ServerSight(server, images, volumes);

        async Task<bool> AddAsync(string name)
        {
            var spec = new ImageSpec(serverPool, name);
            var found = await cluster.FindAsync(spec, cancel) is not null;
            images.AddRange(found ? [spec] : []);
            return found;
        }
    }

    /// <summary>
    /// A volume's image: by the id that a migration may have given it, in the pool that its backend names, where that is a pool of Ceph's, else in the configured one.
    /// </summary>
    public async Task<ImageSpec?> FindImageAsync(Volume volume, CancellationToken cancel)
    {
        foreach (var spec in ImagesOf(volume, pools))
        {
            if (await TryFindAsync(spec, cancel))
            {
                return spec;
            }
        }

        return null;
    }

    /// <summary>What a volume's image may be called, the likeliest first.</summary>
    public static IEnumerable<ImageSpec> ImagesOf(Volume volume, DiskPools pools) =>
        pools.OfVolumeAsShown(volume.Host).Select(p => new ImageSpec(p, $"volume-{volume.NameId ?? volume.Id}"));

    /// <summary>All that is kept of a server beside its disks.</summary>
    public async Task<ServerDescription> DescribeAsync(ServerSight sight, CancellationToken cancel)
    {
        var server = sight.Server;
        var image = server.ImageId is null ? null : await TryAsync(async () => await cloud.Images.GetAsync(server.ImageId, cancel));
        var interfaces = await TryAsync(async () => await cloud.Compute.ListInterfacesAsync(server.Id, cancel)) ?? [];
        var ports = interfaces.Select(i => new PortDescription(i.NetId, i.PortId, i.MacAddr, [.. (i.FixedIps ?? []).Select(f => f.IpAddress)])).ToList();
        return new ServerDescription(
            server.Flavor is { } f ? new FlavorDescription(f.OriginalName, f.Vcpus, f.Ram, f.Disk, f.Ephemeral, f.Swap, f.ExtraSpecs ?? new Dictionary<string, string>()) : null,
            server.ImageId, image?.Name, [.. sight.Volumes.Select(v => Describe(server, v)).OrderBy(v => v.Device, StringComparer.Ordinal)],
            ports.Count > 0 ? ports : [.. ByAddress(server)], server.Metadata ?? new Dictionary<string, string>(), server.KeyName,
            [.. (server.SecurityGroups ?? []).Select(g => g.Name).Distinct()], server.AvailabilityZone, server.HasConfigDrive, server.Description, server.Tags ?? [], server.Host, server.RootDevice,
            server.Status, libvirt is null ? null : await libvirt.DescribeAsync(server, cancel), image?.ForNova);
    }

    private static VolumeDescription Describe(Server server, VolumeSight sight)
    {
        var (a, v) = (sight.Attachment, sight.Volume);
        return new VolumeDescription(
            v.Id, v.Name, v.Description, v.Size, v.VolumeType, v.AvailabilityZone, v.Bootable, a.Device, ServerDiskPlanner.BootIndex(server, a), a.DeleteOnTermination, a.Tag, v.Metadata,
            v.VolumeImageMetadata ?? new Dictionary<string, string>());
    }

    /// <summary>Where Neutron tells nothing, Nova's own list of addresses has the networks' names.</summary>
    private static IEnumerable<PortDescription> ByAddress(Server server) =>
        (server.Addresses ?? new Dictionary<string, IReadOnlyList<ServerAddress>>()).SelectMany(n => n.Value.Where(a => a.Type != "floating").GroupBy(a => a.MacAddress)
            .Select(m => new PortDescription(n.Key, null, m.Key, [.. m.Select(a => a.Address)])));

    private async Task<bool> TryFindAsync(ImageSpec spec, CancellationToken cancel)
    {
        try
        {
            return await cluster.FindAsync(spec, cancel) is not null;
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.NotFound or ErrorKind.Permission)
        {
            // The backend's name for its pool is often none of Ceph's.
            return false;
        }
    }

    /// <summary>What is nice to keep does not keep a backup from being made.</summary>
    private static async Task<T?> TryAsync<T>(Func<Task<T>> get)
        where T : class?
    {
        try
        {
            return await get();
        }
        catch (RbdBackupException)
        {
            return null;
        }
    }
}
