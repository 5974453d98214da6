using System.Text;
using System.Text.Json;
using RbdBackup.Ceph;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;
using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>Workers make server points for servers whose policy says how consistent they are, on a real cloud.</summary>
[Trait("Needs", "OpenStack")]
[Collection(nameof(TenantScene))]
public sealed class ServerTurnTests(TenantScene scene, Mini mini) : IClassFixture<Mini>, IAsyncLifetime
{
    private readonly string _name = $"e2e-{Guid.NewGuid():N}";

    private string Prefix => TenantScene.Prefix(_name);

    public Task InitializeAsync() => scene.ResetAsync();

    public Task DisposeAsync() => scene.ResetAsync();

    [Fact]
    public async Task A_policy_backup_now_and_the_schedule_each_make_one_server_point()
    {
        using var sandbox = new Sandbox(Settings(listens: true, "tenants.reconcile_interval=1h", "tenants.write_status=true"));
        var worker = await WorkerProcess.StartAsync(sandbox);
        var other = await WorkerProcess.StartAsync(sandbox);
        await WorkerProcess.UntilAsync("a pass over the cloud", () => Task.FromResult(worker.Says("compared with what is protected") > 0), worker);
        await scene.SetAsync($"{Prefix}_policy", "daily");
        var first = Assert.Single(await HasAsync(sandbox, 1, worker, other));
        Assert.Equal(("paused", "daily", scene.ProjectA, true), (Text(first, "consistency"), Text(first, "policy"), Text(first, "project"), first.GetProperty("whole").GetBoolean()));
        Assert.Equal([scene.Root, scene.DataImage], first.GetProperty("disks").EnumerateArray().Select(d => Text(d, "image")));
        var asked = (await sandbox.DoAsync("show", Text(first, "id"))).GetProperty("server_point").GetProperty("asked_by");
        Assert.Equal(("notification", scene.ProjectA, true), (Text(asked, "source"), Text(asked, "project"), asked.GetProperty("proven").GetBoolean()));
        await WorkerProcess.UntilAsync("the status to be ok", async () => (await scene.StatusAsync(_name))?.Contains(": 2 disks, point", StringComparison.Ordinal) == true, worker);

        // Both workers hear of each change in both of Nova's formats, and our own writing of the status is a change too.
        await scene.SetBesideStatusAsync($"{Prefix}_now", "1");
        await HasAsync(sandbox, 2, worker, other);
        await scene.SetAsync("another", "key");

        // What is left out of the policy is left out of the point.
        await scene.SetVolumeAsync($"{Prefix}_policy", "none");
        await scene.SetBesideStatusAsync($"{Prefix}_now", "2");
        var third = (await HasAsync(sandbox, 3, worker, other))[^1];
        Assert.Equal(scene.Root, Text(Assert.Single(third.GetProperty("disks").EnumerateArray()), "image"));
        Assert.Contains($"{Prefix}_policy=none", Text(Assert.Single(third.GetProperty("skipped").EnumerateArray()), "why"), StringComparison.Ordinal);
        await worker.DisposeAsync();
        await other.DisposeAsync();

        await using (var state = new RadosStateStore(mini.Admin, "rbdbackup", _name))
        {
            var missed = Encoding.ASCII.GetBytes(DateTimeOffset.UtcNow.AddDays(-2).ToString("O"));
            await state.WriteUnleasedAsync(StateKeys.Schedule("daily"), "up_to", missed, default);
        }

        worker = await WorkerProcess.StartAsync(sandbox);
        other = await WorkerProcess.StartAsync(sandbox);
        var fourth = (await HasAsync(sandbox, 4, worker, other))[^1];
        Assert.Equal("schedule", Text((await sandbox.DoAsync("show", Text(fourth, "id"))).GetProperty("server_point").GetProperty("asked_by"), "source"));
        await SettledAsync(worker);
        await worker.DisposeAsync();
        await other.DisposeAsync();
        Assert.Equal(4, (await PointsAsync(sandbox)).Count);
        Assert.Equal((4, 2), (await TenantScene.PointsAsync(sandbox, scene.Root), await TenantScene.PointsAsync(sandbox, scene.DataImage)));
        await scene.A.UntilAsync(scene.Server.Id, "ACTIVE");
    }

    [Theory]
    [InlineData("turn.begun")]
    [InlineData("server.held")]
    [InlineData("server.manifest")]
    [InlineData("turn.made")]
    public async Task Where_a_worker_dies_another_ends_with_one_server_point_and_the_server_runs(string step)
    {
        using var sandbox = new Sandbox(Settings(listens: false, "tenants.reconcile_interval=2s"));
        await scene.SetAsync($"{Prefix}_policy", "daily");
        await using (var first = await WorkerProcess.StartAsync(sandbox, killAt: step))
        {
            await WorkerProcess.UntilAsync("the worker to be killed", () => Task.FromResult(first.HasExited), first);
        }

        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await HasAsync(sandbox, 1, worker);
        await SettledAsync(worker);
        await scene.A.UntilAsync(scene.Server.Id, "ACTIVE");
        Assert.True(Assert.Single(await PointsAsync(sandbox)).GetProperty("whole").GetBoolean());
        Assert.Equal((1, 1), (await TenantScene.PointsAsync(sandbox, scene.Root), await TenantScene.PointsAsync(sandbox, scene.DataImage)));
    }

    [Fact]
    public async Task What_fails_is_tried_again_and_given_up_and_the_project_reads_it()
    {
        await using var events = await EventQueue.OpenAsync(_name);
        using var sandbox = new Sandbox(Settings(listens: false, "tenants.reconcile_interval=2s", "tenants.write_status=true", "jobs.max_attempts=2", events.Setting));
        await Tool.RbdAsync("snap", "purge", "--no-progress", scene.DataImage);
        await Tool.RbdAsync("snap", "create", "--no-progress", $"{scene.DataImage}@other");
        await Tool.RbdAsync("snap", "limit", "set", "--limit", "1", scene.DataImage);
        try
        {
            await scene.SetAsync($"{Prefix}_policy", "daily");
            await using var worker = await WorkerProcess.StartAsync(sandbox);
            await WorkerProcess.UntilAsync("the end of its tries", () => Task.FromResult(worker.Says("try 2, and it is given up") == 1), worker);
            Assert.Equal(1, worker.Says("try 1, and it is tried again"));
            await WorkerProcess.UntilAsync("the status to say so", async () => (await scene.StatusAsync(_name))?.StartsWith("failed ", StringComparison.Ordinal) == true, worker);
            await SettledAsync(worker);
            Assert.Empty(await WorkerProcess.PointsAsync(sandbox));
        }
        finally
        {
            await Tool.RbdAsync("snap", "limit", "clear", scene.DataImage);
            await Tool.RbdAsync("snap", "rm", "--no-progress", $"{scene.DataImage}@other");
        }

        // The next wish is served.
        await scene.SetAsync($"{Prefix}_now", "1");
        await using var next = await WorkerProcess.StartAsync(sandbox);
        await HasAsync(sandbox, 1, next);
        var (start, error, end) = ($"backup.start {scene.ProjectA}", $"backup.error {scene.ProjectA}", $"backup.end {scene.ProjectA}");
        Assert.Equal([start, error, start, error, start, end], await events.TypesAsync(6, "project_id"));
        Assert.All(await events.AllAsync(), e => Assert.Equal((scene.Server.Id, "daily"), ((string?)e["payload"]!["server_id"], (string?)e["payload"]!["policy"])));
    }

    [Fact]
    public async Task A_wish_for_a_server_that_is_gone_ends_at_once()
    {
        var server = Guid.NewGuid().ToString();
        var wish = new ServerRequest
        {
            DedupKey = DedupKey.OfServer(server, "test", "1"),
            Server = server,
            Policy = "daily",
            AskedBy = new AskedBy(AskedSource.Schedule),
            Created = DateTimeOffset.UtcNow,
        };
        await using var state = new RadosStateStore(mini.Admin, "rbdbackup", _name);
        await state.WriteUnleasedAsync(StateKeys.Server(server), wish.Key, wish.Write(), default);
        using var sandbox = new Sandbox(Settings(listens: false));
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await WorkerProcess.UntilAsync("its end", () => Task.FromResult(worker.Says($"try 1, and it is given up: server {server} is gone") == 1), worker);
        await SettledAsync(worker);
        Assert.Empty((await sandbox.DoAsync("jobs")).EnumerateArray());
    }

    private string[] Settings(bool listens, params string[] more) => TenantScene.Settings(_name, listens, ["policy:daily.consistency=paused", .. more]);

    private async Task<List<JsonElement>> PointsAsync(Sandbox sandbox)
    {
        var result = await sandbox.RunAsync("list", "server", scene.Server.Id);
        return result.ExitCode == 0 ? [.. result.Json.EnumerateArray()] : [];
    }

    private async Task<List<JsonElement>> HasAsync(Sandbox sandbox, int count, params WorkerProcess[] workers)
    {
        List<JsonElement> points = [];
        await WorkerProcess.UntilAsync($"{count} server points", async () => (points = await PointsAsync(sandbox)).Count >= count, workers);
        Assert.Equal(count, points.Count);
        return points;
    }

    /// <summary>Nothing waits for the server any more.</summary>
    private Task SettledAsync(WorkerProcess worker) => WorkerProcess.UntilAsync(
        "all wishes to be answered",
        async () =>
        {
            await using var state = new RadosStateStore(mini.Admin, "rbdbackup", _name);
            return !(await state.ReadAsync(StateKeys.Server(scene.Server.Id), default)).Keys.Any(StateKeys.IsRequest);
        },
        worker);

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;
}
