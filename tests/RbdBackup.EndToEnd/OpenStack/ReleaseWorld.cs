using RabbitMQ.Client;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Worker;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>A tenant's cloud with a worker beside it whose snapshots, queues and records are its own: no other test's worker takes them for its own.</summary>
internal sealed class ReleaseWorld : IAsyncDisposable
{
    private readonly string _name = $"e2e-{Guid.NewGuid():N}";
    private readonly Mini _mini;
    private WorkerProcess? _worker;

    private ReleaseWorld(Mini mini, Tenant tenant, CloudActions actions, params string[] settings)
    {
        (_mini, Tenant, Actions) = (mini, tenant, actions);
        Sandbox = new Sandbox(
            [
                .. WorkerProcess.Settings(_name), .. OpenStack.Tenant.Settings(), "tenants.ask_cloud=true", "notifications.exchanges=nova, cinder", $"notifications.metadata_prefix={_name}_",
                $"ceph.snapshot_name={_name}.{{point}}", .. settings,
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

    /// <summary>The image of a name in Nova's pool, now; null where there is none.</summary>
    public Task<ImageInfo?> FindAsync(ImageSpec image) => _mini.Admin.FindAsync(image, default);

    /// <summary>A server's disks that may be protected.</summary>
    public async Task<IReadOnlyList<ImageSpec>> DisksAsync(Server server) =>
        [.. (await _mini.Admin.ListImagesAsync("vms", "", default)).Where(n => n == $"{server.Id}_disk" || n.StartsWith($"{server.Id}_disk.eph", StringComparison.Ordinal))
            .Order().Select(n => new ImageSpec("vms", n))];

    /// <summary>Makes a point of each of a server's disks, whose snapshots then stay as bases; the disks, each with its image's id.</summary>
    public async Task<IReadOnlyDictionary<ImageSpec, string>> ProtectAsync(Server server, int disks)
    {
        var ids = new Dictionary<ImageSpec, string>();
        foreach (var disk in await DisksAsync(server))
        {
            await Sandbox.DoAsync("backup", "image", disk.ToString());
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
        await channel.QueueDeleteAsync($"{_name}.release");
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
                await channel.QueueDeleteAsync($"{_name}.{queue}");
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
}
