using RabbitMQ.Client;
using RbdBackup.Core.Model;

namespace RbdBackup.EndToEnd.Worker;

/// <summary>The worker on real notifications, published as the services do.</summary>
public sealed class WorkerTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 4 << 20;

    private readonly string _name = $"e2e-{Guid.NewGuid():N}";
    private readonly string _server = Guid.NewGuid().ToString();

    [Fact]
    public async Task A_policy_in_the_metadata_makes_a_full_and_another_policy_an_increment_and_duplicates_make_nothing()
    {
        using var sandbox = new Sandbox(WorkerProcess.Settings(_name));
        await using var image = await mini.CreateAsync(Size, name: $"{_server}_disk");
        await image.FillAsync(0, 1 << 20, seed: 1);
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        var daily = WorkerProcess.Policy(_server, "daily");

        await WorkerProcess.PublishAsync($"{_name}.nova", daily);
        await WorkerProcess.PublishAsync($"{_name}.nova", daily);
        await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Policy(_server, "daily"));
        await WorkerProcess.HasPointsAsync(sandbox, 1, worker);
        await image.FillAsync(4096, 8192, seed: 2);
        await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Policy(_server, "weekly"));
        await WorkerProcess.HasPointsAsync(sandbox, 2, worker);

        var points = await WorkerProcess.PointsAsync(sandbox);
        Assert.Equal(["full", "increment"], points.Select(p => p.GetProperty("kind").GetString()));
        Assert.Equal(["daily", "weekly"], points.Select(p => p.GetProperty("policy").GetString()));
        Assert.Equal(await image.ReadAsync(), await sandbox.ExportFullAsync(points[1].GetProperty("id").GetString()!));
    }

    [Theory]
    [InlineData("key_file")]
    [InlineData("key_command")]
    public async Task A_worker_with_a_key_seals_what_it_backs_up(string option)
    {
        using var keys = new Sandbox();
        var file = Path.Combine(keys.Folder, "key");
        await File.WriteAllTextAsync(file, Convert.ToHexString(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)));
        using var sandbox = new Sandbox([.. WorkerProcess.Settings(_name), $"encryption.{option}={(option == "key_file" ? file : $"cat '{file}'")}"]);
        await using var image = await mini.CreateAsync(Size, name: $"{_server}_disk");
        await image.FillAsync(0, 1 << 20, seed: 1);
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Policy(_server, "daily"));
        await WorkerProcess.HasPointsAsync(sandbox, 1, worker);
        await sandbox.DoAsync("key", "rotate");
        await image.FillAsync(4096, 8192, seed: 2);
        await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Policy(_server, "weekly"));
        await WorkerProcess.HasPointsAsync(sandbox, 2, worker);

        var points = await WorkerProcess.PointsAsync(sandbox);
        Assert.Equal(["full", "increment"], points.Select(p => p.GetProperty("kind").GetString()));
        Assert.Equal(await image.ReadAsync(), await sandbox.ExportFullAsync(points[1].GetProperty("id").GetString()!));
        Assert.Equal(2, (await sandbox.DoAsync("verify", "--all", "--data")).GetProperty("ok").GetInt32());
        using var without = new Sandbox($"store.url=file://{sandbox.StoreFolder}");
        Assert.Equal((int)ErrorKind.Permission, (await without.RunAsync("list")).ExitCode);
    }

    [Fact]
    public async Task A_Cinder_snapshot_that_asks_is_itself_stored()
    {
        using var sandbox = new Sandbox(WorkerProcess.Settings(_name));
        await using var image = mini.Existing(new ImageSpec("volumes", $"volume-{_server}"));
        await mini.Admin.CreateAsync(image.Spec, Size, Mini.SmallObjects, default);
        await image.FillAsync(0, 1 << 20, seed: 1);
        var snapshot = Guid.NewGuid().ToString();
        var id = await image.SnapshotAsync($"snapshot-{snapshot}");
        await image.FillAsync(0, 1 << 20, seed: 2);
        await using var worker = await WorkerProcess.StartAsync(sandbox);

        await WorkerProcess.PublishAsync($"{_name}.cinder", WorkerProcess.Message(
            "cinder-legacy-snapshot.create.end.json", "volume_id", _server,
            p => (p["snapshot_id"], p["metadata"]) = (snapshot, "{'backup': 'yes'}")));
        await WorkerProcess.HasPointsAsync(sandbox, 1, worker);

        var point = (await WorkerProcess.PointsAsync(sandbox)).Single();
        Assert.Equal(id, point.GetProperty("snapshot_id").GetUInt64());
        Assert.Equal(await image.ReadAsync(id), await sandbox.ExportFullAsync(point.GetProperty("id").GetString()!));
    }

    [Theory]
    [InlineData("nova-legacy-compute.instance.delete.start.json")]
    [InlineData("nova-legacy-compute.instance.rebuild.start.json")]
    public async Task A_deletion_or_a_rebuild_takes_our_snapshots_away_and_no_other(string capture)
    {
        using var sandbox = new Sandbox(WorkerProcess.Settings(_name));
        await using var image = await mini.CreateAsync(Size, name: $"{_server}_disk");
        await sandbox.DoAsync("backup", "image", image.ToString());
        var foreign = await image.SnapshotAsync("somebody-elses");
        await using var worker = await WorkerProcess.StartAsync(sandbox);

        await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Message(capture, "instance_id", _server));
        await WorkerProcess.UntilAsync("the snapshot to go", async () => (await image.InfoAsync()).Snapshots.Count == 1, worker);

        Assert.Equal(foreign, Assert.Single((await image.InfoAsync()).Snapshots).Id);
    }

    [Fact]
    public async Task Garbage_is_put_aside_with_its_reason_and_the_worker_goes_on()
    {
        using var sandbox = new Sandbox(WorkerProcess.Settings(_name));
        await using var image = await mini.CreateAsync(Size, name: $"{_server}_disk");
        await using var worker = await WorkerProcess.StartAsync(sandbox);

        await WorkerProcess.PublishAsync($"{_name}.nova", [0xff, 0x00, (byte)'{']);
        await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Policy("../../etc/passwd", "daily"));
        await WorkerProcess.PublishAsync($"{_name}.nova", WorkerProcess.Policy(_server, "daily"));
        await WorkerProcess.HasPointsAsync(sandbox, 1, worker);

        await using var connection = await new ConnectionFactory { Uri = new Uri(Mini.AmqpUrl) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        var dead = await channel.BasicGetAsync($"{_name}.dead", autoAck: true);
        Assert.True(dead!.BasicProperties.Headers!.ContainsKey("x-rbdbackup-reason"));
    }

    [Fact]
    public async Task A_request_through_the_queue_is_carried_out_and_the_job_is_listed()
    {
        using var sandbox = new Sandbox(WorkerProcess.Settings(_name));
        await using var image = await mini.CreateAsync(Size);
        await using var worker = await WorkerProcess.StartAsync(sandbox);

        await sandbox.DoAsync("backup", "image", image.ToString(), "--queue");
        await WorkerProcess.HasPointsAsync(sandbox, 1, worker);
        await WorkerProcess.UntilAsync(
            "the job to be finished", async () => (await sandbox.DoAsync("jobs")).EnumerateArray().Any(j => j.GetProperty("state").GetString() == "finished"), worker);
    }
}
