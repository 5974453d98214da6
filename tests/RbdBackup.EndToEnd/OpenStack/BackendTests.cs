using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Clusters;
using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>Volumes that Cinder moves from one backend to another: their images get other pools, clusters and names.</summary>
[Trait("Needs", "OpenStack")]
public sealed class BackendTests(BackendScene scene) : IClassFixture<BackendScene>
{
    private readonly string _name = Mini.NewName();

    private string Prefix => TenantScene.Prefix(_name);

    [Fact]
    public async Task A_volume_that_is_moved_to_another_pool_and_another_cluster_stays_protected_and_can_be_filled_from()
    {
        await using var tenant = Tenant.Of("A");
        using var actions = await CloudActions.OfAsync("TENANT_A");
        using var sandbox = NewSandbox();
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        var volume = (await tenant.CreateVolumeAsync(type: scene.Usual)).Id;
        var image = Image(new ImageSpec("volumes", $"volume-{volume}"));
        await image.FillAsync(0, 3 << 20, seed: 1);
        await SetAsync(tenant, volume, "policy", "daily");
        await HasPointsAsync(sandbox, image, 1, worker);
        var (first, oldest) = (await HeadAsync(image), (await PointsAsync(sandbox, image))[0].Id);

        foreach (var (type, to) in new[]
        {
            (scene.InPool, image.Spec with { Pool = BackendScene.Pool }), (scene.InCluster, image.Spec with { Pool = $"{SecondCluster.Name}:volumes" }), (scene.Usual, image.Spec),
        })
        {
            var (moved, before) = (Image(to), await HeadAsync(image));
            await RetypeAsync(actions, volume, type);
            await Tenant.UntilAsync($"the volume is of type {type}", async () => (await tenant.VolumeUntilAsync(volume, "available")).VolumeType == type);
            Assert.Equal(before, await HeadAsync(moved));
            await Tenant.UntilAsync("its old image is gone", async () => !await ExistsAsync(image.Spec));

            // Its new image has no base: a full, which the next one stands on.
            await moved.FillAsync(1 << 20, 1 << 20, seed: type.Length);
            var points = (await PointsAsync(sandbox, moved)).Count;
            await SetAsync(tenant, volume, "now", type);
            await HasPointsAsync(sandbox, moved, points + 1, worker);
            Assert.Equal("full", (await PointsAsync(sandbox, moved))[^1].Kind);
            Assert.Equal("increment", await KindAsync(sandbox, volume));
            image = moved;
        }

        // All that the volume ever was can be asked for by its id, into any backend.
        await FilledAsync(tenant, oldest, scene.InCluster, first, worker);
        await FilledAsync(tenant, $"{volume}@latest", scene.InPool, await HeadAsync(image), worker);
    }

    [Fact]
    public async Task A_volume_that_is_moved_while_a_server_has_it_is_found_under_its_new_name()
    {
        await using var tenant = Tenant.Of("A");
        using var sandbox = NewSandbox();
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        var volume = (await tenant.CreateVolumeAsync()).Id;
        var server = (await tenant.BootAsync()).Id;
        await tenant.AttachAsync(server, volume);
        var guest = new Guest(server);
        await guest.UpAsync(disks: 2);
        await guest.RunAsync("echo before >/mnt/vdb/file; sync");
        var old = Image(new ImageSpec("volumes", $"volume-{volume}"));
        await SetAsync(tenant, volume, "policy", "daily");
        await HasPointsAsync(sandbox, old, 1, worker);
        var point = (await PointsAsync(sandbox, old))[0].Id;

        using var admin = await CloudActions.OfAsync("SERVICE");
        await using var service = Tenant.Service();
        await admin.VolumeAsync(volume, "os-migrate_volume", new() { ["host"] = BackendScene.PoolBackend });
        await Tenant.UntilAsync("the volume is moved", async () => (await service.VolumeUntilAsync(volume, "in-use")).Host == BackendScene.PoolBackend);
        var name = (await service.Cloud.BlockStorage.GetVolumeAsync(volume, default)).NameId!;
        var image = Image(new ImageSpec(BackendScene.Pool, $"volume-{name}"));
        await Tenant.UntilAsync("its old image is gone", async () => !await ExistsAsync(old.Spec));
        await HasPointsAsync(sandbox, image, 1, worker);
        await WorkerProcess.UntilAsync("its old image to be protected no longer", async () => (await TenantScene.MembersAsync(scene.Clusters.Mini.Admin, _name)).Count == 1, worker);
        Assert.Equal(image.Spec.ToString(), Assert.Single(await TenantScene.MembersAsync(scene.Clusters.Mini.Admin, _name)).Key);
        await guest.RunAsync("echo after >/mnt/vdb/file; sync");
        await SetAsync(tenant, volume, "now", "1");
        await HasPointsAsync(sandbox, image, 2, worker);
        var snapshot = (await TenantScene.CliAsync("volume", "snapshot", "create", "--force", "--volume", volume, "-f", "value", "-c", "id", "--property", $"{Prefix}=yes", "e2e")).Trim();
        await HasPointsAsync(sandbox, image, 3, worker);
        await TenantScene.CliAsync("volume", "snapshot", "delete", snapshot);
        Assert.Equal("increment", await KindAsync(sandbox, volume));

        // By the volume's id everything is found; what is gone and what is there now.
        await sandbox.DoAsync("restore", point, "--to-volume", volume, "--stop-server");
        await tenant.UntilAsync(server, "ACTIVE");
        await guest.UpAsync(disks: 2);
        Assert.Equal("before\n", await guest.RunAsync("cat /mnt/vdb/file"));
        await tenant.Cloud.Compute.DeleteServerAsync(server, default);
        await tenant.VolumeUntilAsync(volume, "available");
        Assert.Equal("increment", await KindAsync(sandbox, volume));
        await FilledAsync(tenant, $"{volume}@latest", scene.InPool, await HeadAsync(image), worker);

        Assert.All((await sandbox.DoAsync("list")).EnumerateArray(), p => Assert.Equal(volume, p.GetProperty("volume_id").GetString()));

        // Messages name the volume; what is held is the image that it has.
        await WorkerProcess.PublishAsync($"{_name}.forged", WorkerProcess.Message("cinder-legacy-volume.delete.start.json", "volume_id", volume));
        await WorkerProcess.UntilAsync(
            "no backup to begin any more", async () => (await sandbox.RunAsync("backup", "volume", volume)).Error.Contains("was released at", StringComparison.Ordinal), worker);
        await tenant.Cloud.BlockStorage.DeleteVolumeAsync(volume, default);
        await Tenant.UntilAsync("the volume is gone", () => Tenant.IsGoneAsync(() => tenant.Cloud.BlockStorage.GetVolumeAsync(volume, default)));
        Assert.False(await ExistsAsync(image.Spec));
    }

    /// <summary>Has a new volume of a type filled with what is asked for; it must become what is expected.</summary>
    private async Task FilledAsync(Tenant tenant, string what, string type, byte[] content, WorkerProcess worker)
    {
        var volume = (await tenant.CreateVolumeAsync(metadata: new Dictionary<string, string> { [$"{Prefix}_restore"] = what }, type: type)).Id;
        var status = "";
        await WorkerProcess.UntilAsync($"volume {volume} to be filled with {what}; it says '{status}'", async () =>
            (status = (await tenant.Cloud.BlockStorage.GetVolumeAsync(volume, default)).Metadata.GetValueOrDefault($"{Prefix}_restore_status") ?? "").StartsWith("done", StringComparison.Ordinal), worker);
        var pool = type == scene.InCluster ? $"{SecondCluster.Name}:volumes" : BackendScene.Pool;
        Assert.Equal(content, await HeadAsync(Image(new ImageSpec(pool, $"volume-{volume}"))));
    }

    /// <summary>What a point becomes that the operator asks for, once the worker has given the lease back: it has it a moment longer than its point takes to be there.</summary>
    private static async Task<string> KindAsync(Sandbox sandbox, string volume)
    {
        CommandResult? result = null;
        await Tenant.UntilAsync($"volume {volume} is nobody's", async () => (result = await sandbox.RunAsync("backup", "volume", volume)).ExitCode != (int)ErrorKind.Busy);
        Assert.True(result!.ExitCode == 0, result.Error);
        return result.Json.GetProperty("kind").GetString()!;
    }

    private Sandbox NewSandbox() => scene.Clusters.NewSandbox(TenantScene.Settings(
        _name, listens: false, BackendScene.VolumePools, "tenants.reconcile_interval=2s", "restore.volumes_interval=1s", $"ceph.restore_user={Mini.WorkerUser}"));

    private TestImage Image(ImageSpec spec) => spec.Cluster is null ? scene.Clusters.Mini.Existing(spec) : scene.Clusters.Existing(spec);

    private Task SetAsync(Tenant tenant, string volume, string key, string value) =>
        tenant.Cloud.BlockStorage.SetMetadataAsync(volume, new Dictionary<string, string> { [$"{Prefix}_{key}"] = value }, default);

    private static Task RetypeAsync(CloudActions actions, string volume, string type) =>
        actions.VolumeAsync(volume, "os-retype", new() { ["new_type"] = type, ["migration_policy"] = "on-demand" });

    /// <summary>True where the image is there, or kept in the trash under its name.</summary>
    private async Task<bool> ExistsAsync(ImageSpec spec)
    {
        var cluster = spec.Cluster is null ? scene.Clusters.Mini.Admin : scene.Clusters.Admin;
        return await cluster.FindAsync(spec, default) is not null || (await cluster.TrashListAsync(spec.Pool, "", default)).Any(e => e.Name == spec.Name);
    }

    private static async Task<List<(string Id, string Kind)>> PointsAsync(Sandbox sandbox, TestImage image) =>
        [.. (await WorkerProcess.PointsAsync(sandbox)).Where(p => p.GetProperty("image").GetString() == image.Spec.ToString())
            .Select(p => (p.GetProperty("id").GetString()!, p.GetProperty("kind").GetString()!))];

    private static Task HasPointsAsync(Sandbox sandbox, TestImage image, int count, WorkerProcess worker) =>
        WorkerProcess.UntilAsync($"{count} points of {image}", async () => (await PointsAsync(sandbox, image)).Count == count, worker);

    private static Task<byte[]> HeadAsync(TestImage image) => image.UseAsync(async open =>
    {
        var data = new byte[VolumeScene.Looked];
        await open.ReadAsync(0, data, default);
        return data;
    });
}
