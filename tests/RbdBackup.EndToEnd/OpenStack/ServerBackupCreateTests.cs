using System.Text.Json;
using System.Text.Json.Nodes;
using RbdBackup.Ceph;
using RbdBackup.Core.Jobs;
using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary><c>openstack server backup create</c> as a wish for a backup of ours, on a real cloud.</summary>
[Trait("Needs", "OpenStack")]
[Collection(nameof(TenantScene))]
public sealed class ServerBackupCreateTests(TenantScene scene, Mini mini) : IClassFixture<Mini>, IAsyncLifetime
{
    private readonly string _name = $"e2e-{Guid.NewGuid():N}";
    private readonly List<(string Tenant, string Id)> _images = [];

    public Task InitializeAsync() => scene.ResetAsync();

    public async Task DisposeAsync()
    {
        foreach (var (tenant, id) in _images)
        {
            await TenantScene.CliOfAsync(tenant, "image", "delete", id);
        }

        await scene.ResetAsync();
    }

    [Fact]
    public async Task Each_image_makes_one_point_of_each_disk_and_another_projects_server_none()
    {
        // This one was there before anybody listened, and says of itself what only Nova should.
        await ForgeAsync("A");
        var forged = DateTime.UtcNow;
        await Tenant.UntilAsync("Glance's second is over", () => Task.FromResult(DateTime.UtcNow > forged.AddSeconds(1)));
        using var sandbox = new Sandbox(TenantScene.Settings(_name, listens: true, "tenants.server_backups=true", "tenants.reconcile_interval=1h"));
        var (worker, other) = (await WorkerProcess.StartAsync(sandbox), await WorkerProcess.StartAsync(sandbox));
        await WorkerProcess.UntilAsync("a pass over the cloud", () => Task.FromResult(worker.Says("compared with what is protected") > 0), worker);
        await BackUpAsync("first");
        await HasAsync(sandbox, worker, 1);
        await worker.DisposeAsync();
        await other.DisposeAsync();

        // The same message again, the image under another name, and one of another project's that claims to be of this server.
        await TenantScene.CliAsync("image", "set", "--name", $"{_name}-renamed", _images[1].Id);
        await ForgeAsync("B");
        await using var again = await WorkerProcess.StartAsync(sandbox);
        await WorkerProcess.UntilAsync("a pass over the cloud", () => Task.FromResult(again.Says("compared with what is protected") > 0), again);
        await WorkerProcess.PublishAsync($"{_name}.forged", WorkerProcess.Message("nova-legacy-compute.instance.snapshot.end.json", "instance_id", scene.Server.Id));
        await WorkerProcess.UntilAsync("the image to be refused", () => Task.FromResult(again.Says($"of server {scene.Server.Id} is refused: its server is another project's") > 0), again);
        await HasAsync(sandbox, again, 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_notifications_the_comparison_finds_it_where_it_is_on(bool isOn)
    {
        using var sandbox = new Sandbox(TenantScene.Settings(
            _name, listens: false, "tenants.reconcile_interval=2s", $"tenants.server_backups={isOn}"));

        // No pass is made before the image is there: what counts is since when a worker listens, not when its first pass came.
        await using var state = new RadosStateStore(mini.Admin, "rbdbackup", _name);
        await using var held = await state.AcquireAsync(StateKeys.Tenants, default);
        await using (var first = await WorkerProcess.StartAsync(sandbox, killAt: isOn ? "tenants.asked" : null))
        {
            await BackUpAsync("silent");
            Assert.Equal(0, first.Says("compared with what is protected"));
            await held.DisposeAsync();
            await WorkerProcess.UntilAsync(
                isOn ? "the worker to be killed" : "more passes", () => Task.FromResult(isOn ? first.HasExited : first.Says("compared with what is protected") > 4), first);
        }

        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await WorkerProcess.UntilAsync("more passes", () => Task.FromResult(worker.Says("compared with what is protected") > 2), worker);
        await HasAsync(sandbox, worker, isOn ? 1 : 0);
    }

    /// <summary>Both disks have so many points, and nothing more is on its way.</summary>
    private async Task HasAsync(Sandbox sandbox, WorkerProcess worker, int count)
    {
        await WorkerProcess.UntilAsync($"{count} points of each disk", async () => (await CountAsync(sandbox)) == (count, count), worker);
        await WorkerProcess.UntilAsync("the end of all jobs", async () => (await sandbox.RunAsync("jobs")).Json.EnumerateArray().All(IsFinished), worker);
        Assert.Equal((count, count), await CountAsync(sandbox));
    }

    private async Task<(int, int)> CountAsync(Sandbox sandbox) => (await TenantScene.PointsAsync(sandbox, scene.Root), await TenantScene.PointsAsync(sandbox, scene.DataImage));

    private static bool IsFinished(JsonElement job) => job.GetProperty("state").GetString() == "finished";

    private async Task BackUpAsync(string name)
    {
        await TenantScene.CliAsync("server", "backup", "create", "--name", $"{_name}-{name}", "--type", "daily", "--rotate", "2", scene.Server.Id);
        await Tenant.UntilAsync("Nova's image", async () =>
            (await ImagesAsync()).FirstOrDefault(i => i["Name"]!.GetValue<string>() == $"{_name}-{name}")?["Status"]!.GetValue<string>() == "active");
        _images.Add(("A", (await ImagesAsync()).Single(i => i["Name"]!.GetValue<string>() == $"{_name}-{name}")["ID"]!.GetValue<string>()));
    }

    private static async Task<List<JsonNode>> ImagesAsync() => [.. JsonNode.Parse(await TenantScene.CliAsync("image", "list", "--private", "-f", "json"))!.AsArray().Select(i => i!)];

    /// <summary>An image of a tenant's own making that says it is a backup of tenant A's server.</summary>
    private async Task ForgeAsync(string tenant)
    {
        var file = Path.GetTempFileName();
        await File.WriteAllBytesAsync(file, new byte[1 << 20]);
        _images.Add((tenant, (await TenantScene.CliOfAsync(
            tenant, "image", "create", "--disk-format", "raw", "--container-format", "bare", "--property", "image_type=backup", "--property", $"instance_uuid={scene.Server.Id}", "--file", file,
            "-f", "value", "-c", "id", $"{_name}-forged")).Trim()));
        File.Delete(file);
    }
}
