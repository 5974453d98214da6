using Microsoft.Extensions.Logging;
using RbdBackup.Composition;
using RbdBackup.Configuration;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>A server that was made of a server point.</summary>
/// <param name="Server">Its id.</param>
/// <param name="Volumes">Its volumes, in order.</param>
/// <param name="FromImage">True where Nova has its root disk, false where it boots from a volume.</param>
internal sealed record NewServerResult(string Server, IReadOnlyList<string> Volumes, bool FromImage);

/// <summary>
/// Makes a server like one that a server point was taken of: volumes first, each filled, then the server, whose own disks are exchanged while it is off, then the volumes
/// attached in order, so that no guest but the restored one ever sees them. A volume that it boots from is empty until then, where it has disks of its own: the restored guest boots with all
/// its disks or not at all. All that is made bears a mark until the end; if that is not reached it is removed.
/// </summary>
internal sealed class NewServerRestore(
    RbdBackupSettings settings, OpenStackCloud cloud, IImageCluster cluster, IStateStore state, PointRepository repository, ServerHolds holds, ServerRestores servers, RestoreRunner restores,
    ServerPools serverPools, ILogger log, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(300);

    private readonly ServerStates _states = new(cloud, time);
    private readonly ServerLookup _lookup = new(cloud, cluster, settings.Pools, serverPools, null);

    /// <summary>Makes it.</summary>
    /// <param name="point">The server point.</param>
    /// <param name="ask">What is asked for.</param>
    /// <param name="progress">Told how far it is, disk by disk.</param>
    /// <param name="cancel">Ends it; nothing is left.</param>
    /// <exception cref="RbdBackupException">As the services give; NotFound where a disk's point is gone.</exception>
    public async Task<NewServerResult> RunAsync(ServerPoint point, NewServerAsk ask, IProgressReporter progress, CancellationToken cancel)
    {
        // What an earlier run that was killed has made goes first.
        await holds.RemoveHalfMadeAsync(ask.Name, cancel);
        var points = await PointsAsync(point, cancel);
        var flavors = await cloud.Compute.ListFlavorsAsync(cancel).ToListAsync(cancel);
        var plan = NewServerPlanner.Plan(point, ask, flavors, await IsImageThereAsync(point.Description.ImageId, cancel));
        await CheckAsync(ask, plan, cancel);
        var mark = Guid.CreateVersion7(time.GetUtcNow()).ToString("D");
        await using var lease = await state.AcquireAsync(StateKeys.Server(mark), cancel);
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancel, lease.Lost);
        await ServerHolds.SaveAsync(lease, Hold(mark, ask, plan), held.Token);
        try
        {
            var volumes = new List<string>();
            foreach (var volume in plan.Volumes)
            {
                volumes.Add(await MakeVolumeAsync(volume, mark, held.Token));
                if (plan.IsDirect || !volume.IsRoot)
                {
                    await FillAsync(volume, await ImageOfAsync(volume, volumes[^1], held.Token), points, progress, held.Token);
                }

                Checkpoints.Pass("newserver.volume");
            }

            var server = await MakeServerAsync(point, ask, plan, volumes, mark, held.Token);
            if (!plan.IsDirect)
            {
                await ExchangeAsync(server, plan, points, volumes, progress, held.Token);
            }

            await UnmarkAsync(server.Id, volumes, held.Token);
            await ServerHolds.RemoveAsync(lease, held.Token);
            return new NewServerResult(server.Id, volumes, plan.ImageId is not null);
        }
        catch
        {
            await TryRemoveAsync(lease);
            throw;
        }
    }

    private async Task<Dictionary<PointId, Manifest>> PointsAsync(ServerPoint point, CancellationToken cancel)
    {
        var points = new Dictionary<PointId, Manifest>();
        foreach (var disk in point.Disks)
        {
            points[disk.Point] = await repository.FindNewestAsync(disk.Disk, disk.Point, cancel) ?? throw new RbdBackupException(
                ErrorKind.NotFound, $"server point {point.Id} is not whole: point {disk.Point} of {disk.Image} is gone", "'rbdbackup list server' shows those that are.");
        }

        return points;
    }

    /// <summary>Nova would refuse them too, but only when all volumes are filled.</summary>
    private async Task CheckAsync(NewServerAsk ask, NewServerPlan plan, CancellationToken cancel)
    {
        foreach (var network in plan.Networks.Select(n => n.NetworkId!).Distinct())
        {
            if (!await cloud.Networks.HasNetworkAsync(network, cancel))
            {
                throw new RbdBackupException(ErrorKind.Usage, $"there is no network {network}", "Give others with --network; 'openstack network list' shows them.");
            }
        }

        if (ask.KeyName is { } key && !await cloud.Compute.HasKeyAsync(key, cancel))
        {
            throw new RbdBackupException(
                ErrorKind.Usage, $"the user of [keystone] has no key '{key}'", "Keys belong to users: make it as that user ('openstack keypair create'), or leave --key-name out; the restored disk has the old one.");
        }
    }

    private async Task<bool> IsImageThereAsync(string? id, CancellationToken cancel)
    {
        try
        {
            return id is not null && (await cloud.Images.GetAsync(id, cancel)).Status == "active";
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.NotFound or ErrorKind.Permission)
        {
            return false;
        }
    }

    private ServerHold Hold(string mark, NewServerAsk ask, NewServerPlan plan) => new()
    {
        Kind = HoldKind.Making,
        Server = mark,
        Since = time.GetUtcNow(),
        Holder = Services.Holder,
        NewName = ask.Name,
        NewVolumes = [.. plan.Volumes.Select(v => v.Name)],
    };

    /// <summary>An empty volume, available, with all that Nova reads of it.</summary>
    private async Task<string> MakeVolumeAsync(PlannedVolume planned, string mark, CancellationToken cancel)
    {
        var kept = planned.Kept;
        var asked = new NewVolume(planned.Name, planned.Size)
        {
            VolumeType = kept?.Type,
            AvailabilityZone = ZoneOf(kept?.AvailabilityZone),
            Description = kept?.Text,
            Metadata = Marked(kept?.Metadata, mark),
        };
        var volume = await cloud.BlockStorage.CreateVolumeAsync(asked, cancel);
        for (var started = time.GetTimestamp(); volume.Status != "available"; volume = await cloud.BlockStorage.GetVolumeAsync(volume.Id, cancel))
        {
            if (volume.Status.StartsWith("error", StringComparison.Ordinal) || time.GetElapsedTime(started) > Patience)
            {
                throw new RbdBackupException(ErrorKind.Unavailable, $"the new volume '{planned.Name}' is {volume.Status}", $"'openstack volume show {volume.Id}' says more; look into Cinder's logs.");
            }

            await Task.Delay(Poll, time, cancel);
        }

        if (planned.IsRoot || kept?.Bootable == true)
        {
            await cloud.BlockStorage.SetBootableAsync(volume.Id, true, cancel);
        }

        if (planned.ImageMetadata.Count > 0)
        {
            await cloud.BlockStorage.SetImageMetadataAsync(volume.Id, planned.ImageMetadata, cancel);
        }

        return volume.Id;
    }

    private async Task<Server> MakeServerAsync(ServerPoint point, NewServerAsk ask, NewServerPlan plan, List<string> volumes, string mark, CancellationToken cancel)
    {
        var kept = point.Description;
        var all = plan.Volumes.Zip(volumes).Select(v => new ServerVolume(
            v.Second, v.First.Disk.BootIndex, v.First.Disk.Device, v.First.Kept?.DeleteOnTermination ?? false, v.First.Kept?.Tag)).ToList();
        var asked = new NewServer(ask.Name, plan.FlavorId)
        {
            ImageId = plan.ImageId,
            Volumes = plan.IsDirect ? all : [.. all.Where(v => v.BootIndex == 0)],
            Networks = plan.Networks,
            Ephemerals = plan.Ephemerals,
            Metadata = Marked(kept.Metadata, mark),
            Tags = kept.Tags,
            KeyName = ask.KeyName,
            SecurityGroups = plan.Networks.Count > 0 && kept.SecurityGroups.Count > 0 ? kept.SecurityGroups : null,
            AvailabilityZone = ZoneOf(kept.AvailabilityZone),
            HasConfigDrive = kept.ConfigDrive,
            Description = kept.Text == point.Name ? null : kept.Text,
        };
        var id = await cloud.Compute.CreateServerAsync(asked, cancel);
        Checkpoints.Pass("newserver.server");
        return await _states.UntilAsync(id, "is ACTIVE", s => s.Status == "ACTIVE" && s.TaskState is null, Patience, cancel);
    }

    /// <summary>The server runs from an image nobody wants: off with it, its disks exchanged, its volumes attached, and then it starts as what it was.</summary>
    private async Task ExchangeAsync(
        Server made, NewServerPlan plan, Dictionary<PointId, Manifest> points, List<string> volumes, IProgressReporter progress, CancellationToken cancel)
    {
        var server = made.Id;
        var pool = await new DiskSearch(cluster, await serverPools.OfAsync(made, cancel)).OfAsync(server, cancel);
        foreach (var disk in plan.Local)
        {
            var image = new ImageSpec(pool, $"{server}{disk.Suffix}");
            if (await cluster.FindAsync(image, cancel) is null)
            {
                throw new RbdBackupException(
                    ErrorKind.Unsupported, $"the new server has no disk {image}", "Its host keeps disks elsewhere: check [ceph] vms_pool and hosts here, and images_type and images_rbd_pool there.");
            }

            await servers.StopAsync(server, image, cancel);
            await PutAsync(points[disk.Disk.Point], image, progress, cancel);
            Checkpoints.Pass("newserver.disk");
        }

        foreach (var (planned, volume) in plan.Volumes.Zip(volumes))
        {
            if (planned.IsRoot)
            {
                var image = await ImageOfAsync(planned, volume, cancel);
                await servers.StopAsync(server, image, cancel);
                await FillAsync(planned, image, points, progress, cancel);
                Checkpoints.Pass("newserver.root");
            }
            else
            {
                await AttachAsync(server, planned, volume, cancel);
            }
        }

        await cloud.Compute.StartAsync(server, cancel);
        await _states.UntilAsync(server, "is ACTIVE", s => s.Status == "ACTIVE" && s.TaskState is null, Patience, cancel);
    }

    private async Task AttachAsync(string server, PlannedVolume planned, string volume, CancellationToken cancel)
    {
        await cloud.Compute.AttachVolumeAsync(server, volume, planned.Disk.Device, planned.Kept?.DeleteOnTermination ?? false, planned.Kept?.Tag, cancel);
        for (var started = time.GetTimestamp(); (await cloud.BlockStorage.GetVolumeAsync(volume, cancel)).Status != "in-use"; await Task.Delay(Poll, time, cancel))
        {
            if (time.GetElapsedTime(started) > Patience)
            {
                throw new RbdBackupException(ErrorKind.Unavailable, $"volume {volume} is not attached to the new server", "Look into Nova's logs.");
            }
        }
    }

    private async Task<ImageSpec> ImageOfAsync(PlannedVolume planned, string volume, CancellationToken cancel) =>
        await _lookup.FindImageAsync(await cloud.BlockStorage.GetVolumeAsync(volume, cancel), cancel) ?? throw new RbdBackupException(
            ErrorKind.Unsupported, $"the new volume '{planned.Name}' is in no pool that we know", "Check [ceph] volumes_pool; its type may lead to another backend.");

    private async Task FillAsync(PlannedVolume planned, ImageSpec image, Dictionary<PointId, Manifest> points, IProgressReporter progress, CancellationToken cancel)
    {
        await PutAsync(points[planned.Disk.Point], image, progress, cancel);
        await GrowAsync(image, planned.Size << 30, cancel);
    }

    /// <summary>Puts a point in the place of an image that is new and worth nothing, which goes for good.</summary>
    private async Task PutAsync(Manifest point, ImageSpec image, IProgressReporter progress, CancellationToken cancel)
    {
        var result = await restores.RunAsync(new RestoreAsk(point, image, Replace: true, LoseSnapshots: false), progress, cancel);
        if (result.ReplacedImageId is { } old)
        {
            await cluster.TrashRemoveAsync(image.Pool, image.Namespace, old, cancel);
        }
    }

    private async Task GrowAsync(ImageSpec image, long size, CancellationToken cancel)
    {
        if (await cluster.FindAsync(image, cancel) is { } info && info.Size < size)
        {
            await using var opened = await cluster.OpenAsync(image, writable: true, cancel);
            await opened.ResizeAsync(size, cancel);
        }
    }

    private async Task UnmarkAsync(string server, List<string> volumes, CancellationToken cancel)
    {
        await cloud.Compute.DeleteMetadataAsync(server, HalfMadeServers.Mark, cancel);
        foreach (var volume in volumes)
        {
            await cloud.BlockStorage.DeleteMetadataAsync(volume, HalfMadeServers.Mark, cancel);
        }
    }

    private async Task TryRemoveAsync(ILease lease)
    {
        try
        {
            await holds.GiveBackAsync(lease, CancellationToken.None);
        }
        catch (RbdBackupException e)
        {
            // The first error is what the person needs; what was made is still written down.
            log.LogLeft(e.Message);
        }
    }

    private Dictionary<string, string> Marked(IReadOnlyDictionary<string, string>? metadata, string mark) =>
        new(NewServerPlanner.MetadataOf(metadata, settings.Notifications.MetadataPrefix)) { [HalfMadeServers.Mark] = mark };

    /// <summary>What a cloud with one zone calls it is no wish.</summary>
    private static string? ZoneOf(string? zone) => zone is null or "" or "nova" ? null : zone;
}
