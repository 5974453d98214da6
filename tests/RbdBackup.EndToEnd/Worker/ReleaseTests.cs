using System.Diagnostics;
using RabbitMQ.Client;
using RbdBackup.Core.Model;

namespace RbdBackup.EndToEnd.Worker;

/// <summary>Releases on real notifications and a real cluster, where much else goes on.</summary>
public sealed class ReleaseTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 4 << 20;
    private readonly string _name = $"e2e-{Guid.NewGuid():N}";
    private readonly string _server = Guid.NewGuid().ToString();

    [Fact]
    public async Task A_release_waits_neither_behind_jobs_nor_behind_other_messages_and_no_snapshot_comes_back()
    {
        using var sandbox = new Sandbox([.. WorkerProcess.Settings(_name), "jobs.concurrency=1"]);
        await using var root = await mini.CreateAsync(Size, name: $"{_server}_disk");
        await using var ephemeral = await mini.CreateAsync(Size, name: $"{_server}_disk.eph0");
        await using var busy = await mini.CreateAsync(8 * Size);
        await sandbox.DoAsync("backup", "image", root.ToString());
        await sandbox.DoAsync("backup", "image", ephemeral.ToString());
        await busy.FillAsync(0, 8 * Size, seed: 1);

        // The one place for jobs is taken by a job that reads 32 MiB at 64 KiB a second, and the protected disk waits behind it.
        using var slow = new Sandbox([.. WorkerProcess.Settings(_name), "jobs.concurrency=1", "backup.throttle=64KiB", $"store.url=file://{sandbox.StoreFolder}"]);
        await using var worker = await WorkerProcess.StartAsync(slow);
        await slow.DoAsync("backup", "image", busy.ToString(), "--queue");
        await WorkerProcess.UntilAsync("the place to be taken", async () => await worker.MetricAsync("rbdbackup_jobs_running") == 1, worker);
        await slow.DoAsync("backup", "image", root.ToString(), "--queue");
        var message = WorkerProcess.Message("nova-legacy-compute.instance.delete.start.json", "instance_id", _server);
        await PublishManyAsync($"{_name}.nova", 2000, message);

        var from = Stopwatch.StartNew();
        await WorkerProcess.UntilAsync("our snapshots to go", async () => await CountAsync(root) + await CountAsync(ephemeral) == 0, worker);
        Assert.True(from.Elapsed < TimeSpan.FromSeconds(10), $"it took {from.Elapsed}");
        await WorkerProcess.UntilAsync("it to be measured", async () => await worker.MetricAsync("rbdbackup_release_lag_seconds_count") == 1, worker);
        Assert.InRange(await worker.MetricAsync("rbdbackup_release_lag_seconds_sum"), 0.001, 10);

        // The place is free again, and the disk's turn comes: not now.
        foreach (var job in (await slow.DoAsync("jobs")).EnumerateArray().Where(j => j.GetProperty("image").GetString() == busy.ToString()))
        {
            await slow.DoAsync("jobs", "cancel", job.GetProperty("id").GetString()!);
        }

        await WorkerProcess.UntilAsync("the disk to wait", () => Task.FromResult(worker.Log.Contains($"{root} was released", StringComparison.Ordinal)), worker);
        Assert.Equal(0, await CountAsync(root));
        Assert.Equal((int)ErrorKind.Busy, (await slow.RunAsync("backup", "image", ephemeral.ToString())).ExitCode);
        Assert.Equal(0, await CountAsync(ephemeral));
    }

    [Fact]
    public async Task A_backup_that_begins_at_the_moment_of_a_release_leaves_no_snapshot()
    {
        using var sandbox = new Sandbox(WorkerProcess.Settings(_name));
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await Task.WhenAll(Enumerable.Range(0, 12).Select(async round =>
        {
            var server = Guid.NewGuid().ToString();
            await using var image = await mini.CreateAsync(Size, name: $"{server}_disk");
            await sandbox.DoAsync("backup", "image", image.ToString());
            var backup = sandbox.RunAsync("backup", "image", image.ToString());
            await Task.Delay(20 * round);
            await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Message("nova-legacy-compute.instance.delete.start.json", "instance_id", server));
            await backup;
            await WorkerProcess.UntilAsync("the release", () => Task.FromResult(worker.Log.Contains($"{image}: ", StringComparison.Ordinal)), worker);
            Assert.Equal(0, await CountAsync(image));
        }));
    }

    private static async Task<int> CountAsync(TestImage image) => (await image.InfoAsync()).Snapshots.Count;

    /// <summary>Many messages of servers that are nobody's, and then this one.</summary>
    private static async Task PublishManyAsync(string exchange, int count, byte[] last)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(Mini.AmqpUrl) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        var properties = new BasicProperties { ContentType = "application/json", ContentEncoding = "utf-8" };
        var other = WorkerProcess.Message("nova-legacy-compute.instance.update.2.json", "instance_id", Guid.NewGuid().ToString());
        var published = new List<Task>();
        for (var i = 0; i < count; i++)
        {
            published.Add(channel.BasicPublishAsync(exchange, "notifications.info", true, properties, other).AsTask());
        }

        await channel.BasicPublishAsync(exchange, "notifications.info", true, properties, last);
        await Task.WhenAll(published);
    }
}
