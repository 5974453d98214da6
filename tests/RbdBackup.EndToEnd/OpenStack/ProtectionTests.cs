using RabbitMQ.Client;
using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>Tenants protect servers and volumes with metadata, and read what came of it, on a real cloud.</summary>
[Trait("Needs", "OpenStack")]
[Collection(nameof(TenantScene))]
public sealed class ProtectionTests(TenantScene scene, Mini mini) : IClassFixture<Mini>, IAsyncLifetime
{
    private readonly string _name = $"e2e-{Guid.NewGuid():N}";

    private string Prefix => TenantScene.Prefix(_name);

    public Task InitializeAsync() => scene.ResetAsync();

    public Task DisposeAsync() => scene.ResetAsync();

    [Fact]
    public async Task A_policy_protects_root_disk_and_volume_at_once_and_each_wish_makes_one_point()
    {
        using var sandbox = new Sandbox(TenantScene.Settings(_name, listens: true, "tenants.reconcile_interval=1h", "tenants.write_status=true"));
        var worker = await WorkerProcess.StartAsync(sandbox);
        var other = await WorkerProcess.StartAsync(sandbox);
        await PassedAsync(worker, 1);
        await scene.SetAsync($"{Prefix}_policy", "daily");
        await HasAsync(sandbox, worker, root: 1, data: 1);
        await CoversAsync(worker, (scene.Root, "daily"), (scene.DataImage, "daily"));
        await WorkerProcess.UntilAsync("the status to be ok", async () => (await scene.StatusAsync(_name))?.StartsWith("ok ", StringComparison.Ordinal) == true, worker);
        Assert.Matches("^ok 20..-..-..T..:..:..Z: 2 disks, point [0-9a-f-]{36}, policy daily$", await scene.StatusAsync(_name));
        Assert.All(await WorkerProcess.PointsAsync(sandbox), p => Assert.Equal("daily", p.GetProperty("policy").GetString()));

        // Nova sends each change in both of its formats, and our own writing of the status is a change too.
        await scene.SetBesideStatusAsync($"{Prefix}_now", "1");
        await HasAsync(sandbox, worker, root: 2, data: 2);
        await scene.SetBesideStatusAsync($"{Prefix}_now", "2");
        await HasAsync(sandbox, worker, root: 3, data: 3);

        // What was done is remembered by no process.
        await worker.DisposeAsync();
        await other.DisposeAsync();
        worker = await WorkerProcess.StartAsync(sandbox);
        await PassedAsync(worker, 1);
        await scene.SetAsync("another", "key");
        await TenantScene.CliAsync("--os-compute-api-version", "2.26", "server", "set", "--name", "e2e-renamed", "--tag", "e2e", scene.Server.Id);
        await scene.SetBesideStatusAsync($"{Prefix}_policy", "dayly");
        await WorkerProcess.UntilAsync(
            "the status to say what is wrong", async () => await scene.StatusAsync(_name) == "error: unknown policy 'dayly'; known: daily, none, weekly", worker);
        await CoversAsync(worker);
        await scene.SetBesideStatusAsync($"{Prefix}_policy", "weekly");
        await HasAsync(sandbox, worker, root: 4, data: 4);
        await CoversAsync(worker, (scene.Root, "weekly"), (scene.DataImage, "weekly"));

        await scene.A.Cloud.Compute.DetachVolumeAsync(scene.Server.Id, scene.Data.Id, default);
        await CoversAsync(worker, (scene.Root, "weekly"));
        await scene.A.AttachAsync(scene.Server.Id, scene.Data.Id);
        await CoversAsync(worker, (scene.Root, "weekly"), (scene.DataImage, "weekly"));
        await HasAsync(sandbox, worker, root: 4, data: 5);

        // A volume that asks from its beginning, and is deleted although it is protected.
        var asking = await scene.A.CreateVolumeAsync(metadata: new Dictionary<string, string> { [$"{Prefix}_policy"] = "daily" });
        await CoversAsync(worker, (scene.Root, "weekly"), (scene.DataImage, "weekly"), ($"volumes/volume-{asking.Id}", "daily"));
        await WorkerProcess.UntilAsync("its point", async () => await TenantScene.PointsAsync(sandbox, $"volumes/volume-{asking.Id}") == 1, worker);
        await scene.A.Cloud.BlockStorage.DeleteVolumeAsync(asking.Id, default);
        await CoversAsync(worker, (scene.Root, "weekly"), (scene.DataImage, "weekly"));

        await scene.UnsetAsync($"{Prefix}_policy");
        await scene.UnsetAsync($"{Prefix}_now");
        await CoversAsync(worker);
        await WorkerProcess.UntilAsync("the status to go", async () => await scene.StatusAsync(_name) is null, worker);
        await worker.DisposeAsync();
        Assert.Equal((4, 5), (await TenantScene.PointsAsync(sandbox, scene.Root), await TenantScene.PointsAsync(sandbox, scene.DataImage)));
    }

    [Fact]
    public async Task Without_notifications_all_works_too_and_what_changed_while_the_worker_was_down_is_found()
    {
        using var sandbox = new Sandbox(TenantScene.Settings(_name, listens: false, "tenants.reconcile_interval=2s"));
        await scene.SetAsync($"{Prefix}_policy", "daily");
        await scene.SetAsync($"{Prefix}_now", "before");
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await HasAsync(sandbox, worker, root: 1, data: 1);
        await CoversAsync(worker, (scene.Root, "daily"), (scene.DataImage, "daily"));

        await scene.SetAsync($"{Prefix}_now", "after");
        await HasAsync(sandbox, worker, root: 2, data: 2);
        await scene.SetVolumeAsync($"{Prefix}_policy", "none");
        await CoversAsync(worker, (scene.Root, "daily"));
        await scene.SetVolumeAsync($"{Prefix}_now", "1");
        await HasAsync(sandbox, worker, root: 2, data: 3);
        await scene.UnsetAsync($"{Prefix}_policy");
        await scene.SetVolumeAsync($"{Prefix}_policy", "weekly");
        await CoversAsync(worker, (scene.DataImage, "weekly"));
        await HasAsync(sandbox, worker, root: 2, data: 4);

        var snapshot = await scene.SnapshotAsync($"{Prefix}=yes");
        try
        {
            await HasAsync(sandbox, worker, root: 2, data: 5);
            Assert.Contains(await WorkerProcess.PointsAsync(sandbox), p => p.GetProperty("snapshot").GetString() == $"snapshot-{snapshot}");
            var passes = worker.Says("compared with what is protected");
            await PassedAsync(worker, passes + 2);
            Assert.Equal((2, 5), (await TenantScene.PointsAsync(sandbox, scene.Root), await TenantScene.PointsAsync(sandbox, scene.DataImage)));
        }
        finally
        {
            await scene.DeleteSnapshotAsync(snapshot);
        }
    }

    [Theory]
    [InlineData("tenants.asked")]
    [InlineData("tenants.members")]
    public async Task A_worker_that_dies_in_a_look_leaves_one_wish_for_the_next(string step)
    {
        using var sandbox = new Sandbox(TenantScene.Settings(_name, listens: false, "tenants.reconcile_interval=2s"));
        await scene.SetAsync($"{Prefix}_policy", "daily");
        await using (var first = await WorkerProcess.StartAsync(sandbox, killAt: step))
        {
            await WorkerProcess.UntilAsync("the worker to be killed", () => Task.FromResult(first.HasExited), first);
        }

        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await CoversAsync(worker, (scene.Root, "daily"), (scene.DataImage, "daily"));
        await HasAsync(sandbox, worker, root: 1, data: 1);
        await WorkerProcess.UntilAsync("the jobs to be finished", async () => await FinishedAsync(sandbox) == 2, worker);
        var passes = worker.Says("compared with what is protected");
        await PassedAsync(worker, passes + 2);
        Assert.Equal(2, await FinishedAsync(sandbox));
    }

    [Fact]
    public async Task Ephemeral_disks_are_covered_and_swap_and_encrypted_volumes_are_not()
    {
        var type = $"{_name}-luks";
        await OperatorAsync(
            "volume", "type", "create", "--encryption-provider", "luks", "--encryption-cipher", "aes-xts-plain64", "--encryption-key-size", "256", "--encryption-control-location",
            "front-end", type);
        try
        {
            await using var tenant = Tenant.Of("B");
            var metadata = new Dictionary<string, string> { [$"{Prefix}_policy"] = "daily" };
            var secret = await tenant.CreateVolumeAsync(metadata: metadata, type: type);
            var server = await tenant.BootAsync(metadata, flavor: "mini.disks", name: "e2e-tenants-disks");
            using var sandbox = new Sandbox(TenantScene.Settings(_name, listens: true, "tenants.reconcile_interval=2s"));
            await using var worker = await WorkerProcess.StartAsync(sandbox);
            await CoversAsync(worker, ($"vms/{server.Id}_disk", "daily"), ($"vms/{server.Id}_disk.eph0", "daily"));
            await WorkerProcess.UntilAsync("points of both", async () => (await WorkerProcess.PointsAsync(sandbox)).Count == 2, worker);
            Assert.Equal(1, worker.Says($"vms/{server.Id}_disk.swap is skipped: swap"));
            await WorkerProcess.UntilAsync("word of the encrypted volume", () => Task.FromResult(worker.Says($"volume-{secret.Id} is skipped: encrypted") == 1), worker);

            // A server that is gone is protected no longer, and the release takes our snapshots off all its disks.
            await tenant.Cloud.Compute.DeleteServerAsync(server.Id, default);
            await CoversAsync(worker);
            await Tenant.UntilAsync("its disks' end", async () => !(await Tool.RbdAsync("ls", "vms")).Contains(server.Id, StringComparison.Ordinal));
        }
        finally
        {
            await OperatorAsync("volume", "type", "delete", type);
        }
    }

    [Fact]
    public async Task A_broker_that_lost_what_it_held_has_all_of_the_cloud_compared()
    {
        using var sandbox = new Sandbox(TenantScene.Settings(_name, listens: false, "tenants.reconcile_interval=1h"));
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await PassedAsync(worker, 1);
        await scene.SetAsync($"{Prefix}_policy", "daily");

        // The queue goes with all that is in it, as in a restart of the broker.
        await using (var connection = await new ConnectionFactory { Uri = new Uri(Mini.AmqpUrl) }.CreateConnectionAsync())
        await using (var channel = await connection.CreateChannelAsync())
        {
            Assert.Empty(await TenantScene.MembersAsync(mini.Admin, _name));
            await channel.QueueDeleteAsync($"{_name}.notifications");
        }

        await HasAsync(sandbox, worker, root: 1, data: 1);
        await CoversAsync(worker, (scene.Root, "daily"), (scene.DataImage, "daily"));
    }

    [Fact]
    public async Task A_status_waits_until_Nova_takes_it_and_a_rescue_disk_is_skipped()
    {
        using var sandbox = new Sandbox(TenantScene.Settings(_name, listens: false, "tenants.reconcile_interval=2s", "tenants.write_status=true"));
        await scene.SetAsync($"{Prefix}_policy", "daily");
        await TenantScene.CliAsync("server", "rescue", scene.Server.Id);
        try
        {
            await scene.A.UntilAsync(scene.Server.Id, "RESCUE");
            await using var worker = await WorkerProcess.StartAsync(sandbox);
            await HasAsync(sandbox, worker, root: 1, data: 1);
            await WorkerProcess.UntilAsync("the rescue disk to be skipped", () => Task.FromResult(worker.Says($"{scene.Root}.rescue is skipped: of a rescue") == 1), worker);
            Assert.Null(await scene.StatusAsync(_name));
            await TenantScene.CliAsync("server", "unrescue", scene.Server.Id);
            await WorkerProcess.UntilAsync("the status to be ok", async () => (await scene.StatusAsync(_name))?.StartsWith("ok ", StringComparison.Ordinal) == true, worker);
        }
        finally
        {
            if ((await scene.A.Cloud.Compute.GetServerAsync(scene.Server.Id, default)).Status == "RESCUE")
            {
                await TenantScene.CliAsync("server", "unrescue", scene.Server.Id);
            }

            await scene.A.UntilAsync(scene.Server.Id, "ACTIVE");
        }
    }

    [Fact]
    public async Task A_project_asks_for_what_it_may_have_and_reads_why_it_gets_no_more()
    {
        string[] settings = TenantScene.Settings(_name, listens: false, "tenants.reconcile_interval=2s", "tenants.write_status=true");
        using (var tagged = new Sandbox([.. settings, "tenants.project_tag=may-back-up"]))
        {
            await scene.SetAsync($"{Prefix}_policy", "daily");
            await using var worker = await WorkerProcess.StartAsync(tagged);
            await WorkerProcess.UntilAsync("the refusal", async () => await scene.StatusAsync(_name) == "error: the project may not ask for backups", worker);
            Assert.Empty(await TenantScene.MembersAsync(mini.Admin, _name));
            Assert.Empty(await WorkerProcess.PointsAsync(tagged));
        }

        using var limited = new Sandbox([.. settings, "tenants.max_points=2"]);
        await using var second = await WorkerProcess.StartAsync(limited);
        await HasAsync(limited, second, root: 1, data: 1);
        await WorkerProcess.UntilAsync("the status to be ok", async () => (await scene.StatusAsync(_name))?.StartsWith("ok ", StringComparison.Ordinal) == true, second);
        await scene.SetBesideStatusAsync($"{Prefix}_now", "1");
        await WorkerProcess.UntilAsync(
            "the refusal", async () => (await scene.StatusAsync(_name))?.EndsWith("Z: the project has 2 points of 2", StringComparison.Ordinal) == true, second);
        Assert.Equal(2, (await WorkerProcess.PointsAsync(limited)).Count);
        Assert.NotEqual(0, second.Says("is refused to project"));
    }

    private static Task<string> OperatorAsync(params string[] arguments) => Tool.RunAsync("openstack", arguments);

    private static async Task<int> FinishedAsync(Sandbox sandbox) =>
        (await sandbox.DoAsync("jobs")).EnumerateArray().Count(j => j.GetProperty("state").GetString() == "finished");

    private static Task PassedAsync(WorkerProcess worker, int passes) => WorkerProcess.UntilAsync(
        $"{passes} passes over the cloud", () => Task.FromResult(worker.Says("compared with what is protected") >= passes), worker);

    private Task HasAsync(Sandbox sandbox, WorkerProcess worker, int root, int data)
    {
        return WorkerProcess.UntilAsync(
            $"{root} points of the root disk and {data} of the volume",
            async () => (await TenantScene.PointsAsync(sandbox, scene.Root), await TenantScene.PointsAsync(sandbox, scene.DataImage)) == (root, data), worker);
    }

    private Task CoversAsync(WorkerProcess worker, params (string Image, string Policy)[] expected) => WorkerProcess.UntilAsync(
        $"{expected.Length} disks to be protected",
        async () => (await TenantScene.MembersAsync(mini.Admin, _name)).ToHashSet().SetEquals(expected.Select(e => KeyValuePair.Create(e.Image, e.Policy))), worker);
}
