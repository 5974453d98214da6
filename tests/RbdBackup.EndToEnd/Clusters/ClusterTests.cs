using System.Diagnostics;
using System.Text.Json;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.Clusters;

/// <summary>Two real clusters in one configuration: each disk is found where it is, and one that is down stops nothing on the other.</summary>
public sealed class ClusterTests(SecondCluster clusters) : IClassFixture<SecondCluster>
{
    private const int Size = 1 << 20;
    private readonly string _name = Mini.NewName();

    [Fact]
    public async Task An_image_of_another_cluster_is_backed_up_restored_and_remembered_there()
    {
        using var sandbox = clusters.NewSandbox();
        await using var image = await clusters.CreateAsync(Size);
        await image.FillAsync(0, 300_000, 1);
        var full = await sandbox.DoAsync("backup", "image", image.ToString());
        Assert.Equal(image.ToString(), full.GetProperty("image").GetString());
        var before = await image.ReadAsync();
        await image.FillAsync(100_000, 50_000, 2);
        Assert.Equal("increment", (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("kind").GetString());
        Assert.Equal(2, (await sandbox.DoAsync("list", image.ToString())).GetArrayLength());

        // Its lease was there, under a name that says nothing of the configuration's.
        var state = StateKeys.Split(StateKeys.Image(await image.InfoAsync())).Name;
        Assert.Contains(state, await clusters.StateAsync("rbdbackup"));
        Assert.DoesNotContain(state, (await Tool.RunAsync("rados", "--name", "client.admin", "-p", "rbdbackup", "-N", "rbdbackup", "ls")).Split('\n'));

        // Back in its place, and as an image of the default cluster.
        var point = full.GetProperty("id").GetString()!;
        await using var copy = clusters.Mini.Target();
        await sandbox.DoAsync("restore", point, "--to", copy.ToString());
        await sandbox.DoAsync("restore", point, "--replace");
        Assert.Equal(before, await copy.ReadAsync());
        Assert.Equal(before, await image.ReadAsync());
        Assert.Equal("increment", (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("kind").GetString());
        Assert.Contains((await sandbox.DoAsync("unprotect", image.ToString())).EnumerateArray(), t => t.GetProperty("kind").GetString() == "snapshot");
        Assert.Empty((await image.InfoAsync()).Snapshots);
    }

    [Fact]
    public async Task A_servers_disk_is_found_in_the_cluster_that_has_it_and_one_that_is_in_two_is_refused()
    {
        using var sandbox = clusters.NewSandbox();
        var server = Guid.NewGuid().ToString();
        await using var image = await clusters.CreateAsync(Size, $"{server}_disk");
        Assert.Equal(image.ToString(), (await sandbox.DoAsync("backup", "server", server)).GetProperty("image").GetString());
        await using var stale = await clusters.Mini.CreateAsync(Size, name: $"{server}_disk");
        var refused = await sandbox.RunAsync("backup", "server", server);
        Assert.Equal((int)ErrorKind.Refused, refused.ExitCode);
        Assert.Contains($"{stale}, {image}", refused.Error, StringComparison.Ordinal);
        Assert.Equal((int)ErrorKind.NotFound, (await sandbox.RunAsync("backup", "server", Guid.NewGuid().ToString())).ExitCode);
    }

    [Fact]
    public async Task What_is_in_a_cluster_that_does_not_answer_counts_as_unknown_and_never_as_gone()
    {
        string[] own = [$"ceph.user={Mini.WorkerUser}", $"ceph.restore_user={Mini.WorkerUser}", $"ceph.state_namespace={_name}"];
        using var sandbox = clusters.NewSandbox(own);
        await using var here = await clusters.Mini.CreateAsync(Size);
        await using var there = await clusters.CreateAsync(Size, $"{Guid.NewGuid()}_disk");
        foreach (var image in new[] { here, there })
        {
            await sandbox.DoAsync("backup", "image", image.ToString());
        }

        using var broken = new Sandbox([.. own, $"ceph:{SecondCluster.Name}.conf={sandbox.Folder}/none.conf", $"store.url=file://{sandbox.StoreFolder}"]);
        var report = await broken.RunAsync("report");
        Assert.Equal((int)ErrorKind.Partial, report.ExitCode);
        Assert.Contains("cluster second", report.Error, StringComparison.Ordinal);
        Assert.Equal(["unprotected", "unknown"], new[] { here, there }.Select(i => State(report.Json, i)));
        var whole = await sandbox.DoAsync("report");
        Assert.Equal(["unprotected", "unprotected"], new[] { here, there }.Select(i => State(whole, i)));

        // Nothing is concluded from silence: the disk may be there, so it is not said that there is none.
        Assert.Equal((int)ErrorKind.Unavailable, (await broken.RunAsync("backup", "server", there.Spec.Name[..36])).ExitCode);
        Assert.Equal((int)ErrorKind.Unavailable, (await broken.RunAsync("unprotect", "--all", "--dry-run")).ExitCode);
        Assert.Equal((int)ErrorKind.Partial, (await broken.RunAsync("jobs")).ExitCode);
        Assert.Equal((int)ErrorKind.Partial, (await broken.RunAsync("sweep", "--dry-run")).ExitCode);
        Assert.Equal("increment", (await broken.DoAsync("backup", "image", here.ToString())).GetProperty("kind").GetString());
    }

    [Fact]
    public async Task A_worker_finds_disks_in_both_and_goes_on_with_one_while_the_other_is_down()
    {
        using var sandbox = clusters.NewSandbox([.. WorkerProcess.Settings(_name), "ceph.call_deadline=3s", "jobs.retry_delay=1s"]);
        var (server, other) = (Guid.NewGuid().ToString(), Guid.NewGuid().ToString());
        await using var there = await clusters.CreateAsync(Size, $"{server}_disk");
        await using var here = await clusters.Mini.CreateAsync(Size, name: $"{other}_disk");
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Policy(server, "daily"));
        await WorkerProcess.HasPointsAsync(sandbox, 1, worker);
        Assert.Equal(there.ToString(), Assert.Single(await WorkerProcess.PointsAsync(sandbox)).GetProperty("image").GetString());
        await clusters.WhileDownAsync(async () =>
        {
            await sandbox.DoAsync("backup", "image", there.ToString(), "--queue");
            await sandbox.DoAsync("backup", "image", here.ToString(), "--queue");
            await WorkerProcess.HasPointsAsync(sandbox, 2, worker);
            await ReleasedAsync(other, here, worker);
            Assert.DoesNotContain($"{there} is gone", worker.Log, StringComparison.Ordinal);
        });

        // What was asked meanwhile is done, and its disk is released where it is.
        await WorkerProcess.HasPointsAsync(sandbox, 3, worker);
        await ReleasedAsync(server, there, worker);
    }

    [Fact]
    public async Task A_disk_is_released_although_a_migration_left_its_name_in_another_cluster()
    {
        using var sandbox = clusters.NewSandbox(WorkerProcess.Settings(_name));
        var server = Guid.NewGuid().ToString();
        await using var real = await clusters.CreateAsync(Size, $"{server}_disk");
        await sandbox.DoAsync("backup", "server", server);
        await using var left = await clusters.Mini.CreateAsync(Size, name: $"{server}_disk");
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await ReleasedAsync(server, real, worker);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_turns_of_a_cluster_that_is_down_come_when_it_is_back(bool wasReached)
    {
        await using var here = await clusters.Mini.CreateAsync(Size);
        await using var there = await clusters.CreateAsync(Size, $"{Guid.NewGuid()}_disk");
        string[] own = [$"ceph.user={Mini.WorkerUser}", $"ceph.state_namespace={_name}", $"policy:daily.image={here}", $"policy:daily.pool={SecondCluster.Name}:vms", "policy:daily.jitter=0s"];
        using var sandbox = clusters.NewSandbox(own);
        using var broken = new Sandbox([.. own, $"ceph:{SecondCluster.Name}.conf={sandbox.Folder}/none.conf", $"store.url=file://{sandbox.StoreFolder}"]);
        Assert.Equal(wasReached ? 0 : (int)ErrorKind.Unavailable, (await (wasReached ? sandbox : broken).RunAsync("schedule", "--once")).ExitCode);
        (broken.Ahead, sandbox.Ahead) = (TimeSpan.FromHours(25), TimeSpan.FromHours(25.1));
        Assert.Equal((int)ErrorKind.Unavailable, (await broken.RunAsync("schedule", "--once")).ExitCode);
        Assert.Equal(here.ToString(), Assert.Single(await WorkerProcess.PointsAsync(sandbox)).GetProperty("image").GetString());

        await sandbox.DoAsync("schedule", "--once");
        await sandbox.DoAsync("schedule", "--once");
        Assert.Equal([there.ToString(), here.ToString()], (await WorkerProcess.PointsAsync(sandbox)).Select(p => p.GetProperty("image").GetString()).Order(StringComparer.Ordinal));
    }

    private async Task ReleasedAsync(string server, TestImage image, WorkerProcess worker)
    {
        await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Message("nova-legacy-compute.instance.delete.start.json", "instance_id", server));
        var from = Stopwatch.StartNew();
        await WorkerProcess.UntilAsync("our snapshots to go", async () => (await image.InfoAsync()).Snapshots.Count == 0, worker);
        Assert.True(from.Elapsed < TimeSpan.FromSeconds(10), $"it took {from.Elapsed}");
    }

    private static string? State(JsonElement report, TestImage image) =>
        report.EnumerateArray().Single(l => l.GetProperty("image").GetString() == image.ToString()).GetProperty("state").GetString();
}
