using System.Text.Json;
using RabbitMQ.Client;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Worker;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>How the worker is while something is done to a server or volume.</summary>
public enum WorkerState
{
    Up,

    /// <summary>It stands still meanwhile, and its messages wait for it.</summary>
    Late,

    /// <summary>It is away until all is over, and its messages are lost.</summary>
    Dead,
}

/// <summary>A tenant's cloud with a worker beside it whose snapshots, queues and records are its own: no other test's worker takes them for its own.</summary>
internal sealed class ReleaseWorld : IAsyncDisposable
{
    private static readonly string[] Exchanges = ["nova", "cinder"];
    private readonly string _name = $"e2e-{Guid.NewGuid():N}";
    private readonly Mini _mini;
    private WorkerProcess? _worker;

    private ReleaseWorld(Mini mini, Tenant tenant, CloudActions actions, params string[] settings)
    {
        (_mini, Tenant, Actions) = (mini, tenant, actions);
        Sandbox = new Sandbox(
            [
                .. WorkerProcess.Settings(_name), .. OpenStack.Tenant.Settings(), "tenants.ask_cloud=true", $"notifications.exchanges={string.Join(", ", Exchanges)}",
                $"notifications.metadata_prefix={_name}_", $"ceph.restore_user={Mini.WorkerUser}", .. settings,
            ]);
    }

    public Tenant Tenant { get; }

    public CloudActions Actions { get; }

    public Sandbox Sandbox { get; }

    public WorkerProcess Worker => _worker!;

    /// <summary>The world with its worker up.</summary>
    public static async Task<ReleaseWorld> StartAsync(Mini mini, params string[] settings)
    {
        var world = new ReleaseWorld(mini, OpenStack.Tenant.Of("A"), await CloudActions.OfAsync("TENANT_A"), settings);
        await world.StartWorkerAsync();
        return world;
    }

    public async Task StartWorkerAsync() => _worker = await WorkerProcess.StartAsync(Sandbox);

    /// <summary>The worker is away; its queues stay, and fill.</summary>
    public async Task StopWorkerAsync()
    {
        if (_worker is { } worker)
        {
            _worker = null;
            await worker.DisposeAsync();
        }
    }

    /// <summary>Puts the worker where it is to be while something is done.</summary>
    public async Task LeaveAsync(WorkerState state)
    {
        if (state == WorkerState.Late)
        {
            await Worker.StallAsync();
        }
        else if (state == WorkerState.Dead)
        {
            await StopWorkerAsync();
            await LoseMessagesAsync();
        }
    }

    /// <summary>Brings it back.</summary>
    public Task ReturnAsync(WorkerState state) => state switch
    {
        WorkerState.Late => Worker.WakeAsync(),
        WorkerState.Dead => StartWorkerAsync(),
        _ => Task.CompletedTask,
    };

    /// <summary>The image of a name in Nova's pool, now; null where there is none.</summary>
    public Task<ImageInfo?> FindAsync(ImageSpec image) => _mini.Admin.FindAsync(image, default);

    /// <summary>A server's disks that may be protected.</summary>
    public async Task<IReadOnlyList<ImageSpec>> DisksAsync(Server server) =>
        [.. (await _mini.Admin.ListImagesAsync("vms", "", default)).Where(n => n == $"{server.Id}_disk" || n.StartsWith($"{server.Id}_disk.eph", StringComparison.Ordinal))
            .Order().Select(n => new ImageSpec("vms", n))];

    /// <summary>A point of an image, made now, that holds what the image held then.</summary>
    /// <param name="image">The image.</param>
    /// <param name="kind">What it must be: full or increment; null for either.</param>
    /// <param name="command">How it is asked for; as an image by default.</param>
    public async Task BackupAsync(ImageSpec image, string? kind = null, params string[] command)
    {
        var point = await Sandbox.DoAsync(["backup", .. command.Length > 0 ? command : ["image", image.ToString()]]);
        Assert.True((kind ?? point.GetProperty("kind").GetString()) == point.GetProperty("kind").GetString(), $"not a point of kind {kind}: {point}");
        await AssertRightAsync(image, point);
    }

    /// <summary>Makes a point of each of a server's disks, whose snapshots then stay as bases; the disks, each with its image's id.</summary>
    public async Task<IReadOnlyDictionary<ImageSpec, string>> ProtectAsync(Server server, int disks)
    {
        var ids = new Dictionary<ImageSpec, string>();
        foreach (var disk in await DisksAsync(server))
        {
            await BackupAsync(disk);
            var info = (await FindAsync(disk))!;
            Assert.Contains(info.Snapshots, IsOurs);
            ids[disk] = info.ImageId;
        }

        Assert.Equal(disks, ids.Count);
        return ids;
    }

    /// <summary>True for this world's snapshots.</summary>
    public bool IsOurs(ImageSnapshot snapshot) => snapshot.Name.StartsWith(_name, StringComparison.Ordinal);

    /// <summary>Each of the disks is another image now, and has nothing of ours.</summary>
    public async Task AssertNewAsync(IReadOnlyDictionary<ImageSpec, string> before)
    {
        foreach (var (disk, id) in before)
        {
            var now = await FindAsync(disk);
            Assert.True(now is not null && now.ImageId != id, $"{disk} is the old image");
            Assert.DoesNotContain(now.Snapshots, IsOurs);
        }
    }

    /// <summary>
    /// Waits until Nova has tried to remove a server's disk. That shows nowhere in Nova; but for a try it takes the image's lock and gives it back, which the image's header
    /// remembers, and once the guest is off nobody else does.
    /// </summary>
    public async Task NovaHasTriedAsync(Server server, ImageSpec disk)
    {
        await OpenStack.Tenant.UntilAsync(
            $"Nova takes {disk} away", async () => (await Tenant.Cloud.Compute.GetServerAsync(server.Id, default)).TaskState is "deleting" or "rebuilding" or "shelving_offloading"
                && !(await Tool.RunAsync("virsh", "-c", Mini.Setting("RBDBACKUP_TEST_LIBVIRT_URI"), "list", "--uuid")).Contains(server.Id, StringComparison.Ordinal));
        var header = $"rbd_header.{(await FindAsync(disk))!.ImageId}";
        Task<string> ChangedAsync() => Tool.RunAsync("rados", "--name", "client.admin", "-p", disk.Pool, "stat", header);
        var before = await ChangedAsync();
        await OpenStack.Tenant.UntilAsync($"Nova has tried to remove {disk}", async () => await ChangedAsync() != before);
    }

    /// <summary>The server and its images go within a minute from now.</summary>
    public async Task GoneWithinAMinuteAsync(Server server)
    {
        var from = DateTime.UtcNow;
        await OpenStack.Tenant.UntilAsync(
            $"no image of server {server.Id} is left", async () => !(await _mini.Admin.ListImagesAsync("vms", "", default)).Any(n => n.StartsWith(server.Id, StringComparison.Ordinal)));
        Assert.True(DateTime.UtcNow - from < TimeSpan.FromSeconds(60), $"it took {DateTime.UtcNow - from}");
    }

    /// <summary>The queue of releases is deleted, as when a broker is made anew: what is sent until the worker is back reaches nobody.</summary>
    public async Task LoseMessagesAsync()
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(Mini.AmqpUrl) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        await DeleteQueueAsync(channel, "release");
    }

    public async ValueTask DisposeAsync()
    {
        await StopWorkerAsync();
        await using (var connection = await new ConnectionFactory { Uri = new Uri(Mini.AmqpUrl) }.CreateConnectionAsync())
        await using (var channel = await connection.CreateChannelAsync())
        {
            // They would take copies of the services' messages for ever.
            foreach (var queue in new[] { "notifications", "release", "jobs", "dead" })
            {
                await DeleteQueueAsync(channel, queue);
            }
        }

        foreach (var name in (await _mini.Admin.ListImagesAsync("vms", "", default)).Where(n => Tenant.Servers.Any(s => n.StartsWith(s, StringComparison.Ordinal))))
        {
            // Snapshots that a test left, so that Nova can remove the disks.
            if (await FindAsync(new ImageSpec("vms", name)) is { } info)
            {
                foreach (var snapshot in info.Snapshots.Where(IsOurs))
                {
                    await _mini.Existing(info.Spec).RemoveSnapshotAsync(snapshot.Id);
                }
            }
        }

        await Tenant.DisposeAsync();
        Actions.Dispose();
        Sandbox.Dispose();
    }

    // Unbound before: RabbitMQ closes the connection of a service that publishes to a queue while that is deleted, and its message reaches nobody.
    private async Task DeleteQueueAsync(IChannel channel, string queue)
    {
        foreach (var exchange in queue is "notifications" or "release" ? Exchanges : [])
        {
            foreach (var key in new[] { "notifications.info", "notifications.error", "versioned_notifications.info", "versioned_notifications.error" })
            {
                await channel.QueueUnbindAsync($"{_name}.{queue}", exchange, key);
            }
        }

        await channel.QueueDeleteAsync($"{_name}.{queue}");
    }

    /// <summary>The point, restored, is byte by byte what its snapshot shows, as Ceph's own library reads them.</summary>
    private async Task AssertRightAsync(ImageSpec image, JsonElement point)
    {
        await using var copy = _mini.Target();
        await Sandbox.DoAsync("restore", point.GetProperty("id").GetString()!, "--to", copy.ToString());
        var compared = await Tool.PythonAsync(
            """
            import rados, rbd, sys
            conf, pool, name, snapshot, other_pool, other = sys.argv[1:]
            with rados.Rados(conffile=conf, name='client.admin') as cluster, cluster.open_ioctx(pool) as ioctx, cluster.open_ioctx(other_pool) as other_ioctx:
                with rbd.Image(ioctx, name, read_only=True) as image, rbd.Image(other_ioctx, other, read_only=True) as copy:
                    image.set_snap_by_id(int(snapshot))
                    assert image.size() == copy.size(), f'{image.size()} bytes became {copy.size()}'
                    parts = set()
                    for i in image, copy:
                        i.diff_iterate(0, i.size(), None, lambda at, length, exists: parts.update(range(at >> 22, (at + length - 1 >> 22) + 1)))
                    for at in (part << 22 for part in parts):
                        length = min(1 << 22, image.size() - at)
                        assert image.read(at, length) == copy.read(at, length), f'they differ in the 4 MiB at {at}'
            print(len(parts))
            """,
            Mini.CephConf, image.Pool, image.Name, $"{point.GetProperty("snapshot_id").GetUInt64()}", copy.Spec.Pool, copy.Spec.Name);
        Assert.NotEqual("0\n", compared);
    }
}
