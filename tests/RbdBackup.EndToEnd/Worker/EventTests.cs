using System.Text.Json.Nodes;

namespace RbdBackup.EndToEnd.Worker;

/// <summary>What workers and commands tell the cloud's collectors.</summary>
public sealed class EventTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 1 << 20;
    private static readonly DateTime Yesterday = DateTime.UtcNow.Date.AddDays(-1);
    private readonly string _name = $"e2e-{Guid.NewGuid():N}";

    [Fact]
    public async Task The_backup_of_a_pool_tells_of_each_image_and_the_restore_of_all_too()
    {
        await using var events = await EventQueue.OpenAsync(_name);
        await using var pool = await ImageNamespace.CreateAsync(_name);
        using var sandbox = new Sandbox(events.Settings);
        var images = new[] { await pool.ImageAsync("a"), await pool.ImageAsync("b") };
        await sandbox.DoAsync("backup", "pool", pool.Name);
        Assert.Equal(images.SelectMany(i => new[] { $"backup.start {i}", $"backup.end {i}" }), await events.TypesAsync(4, "image"));

        await pool.EmptyAsync();
        await sandbox.DoAsync("restore", "--all", "--at-a-time", "1");
        Assert.Equal(images.SelectMany(i => new[] { $"restore.start {i}", $"restore.end {i}" }), (await events.TypesAsync(8, "image")).Skip(4));

        // What is there already is not restored, and not told of.
        await sandbox.DoAsync("restore", "--all");
        Assert.Equal(8, (await events.AllAsync()).Count);
    }

    [Fact]
    public async Task A_roll_back_tells_of_itself_and_of_its_failure()
    {
        await using var events = await EventQueue.OpenAsync(_name);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, Size, 1);
        using var sandbox = new Sandbox(events.Settings);
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
        await sandbox.DoAsync("rollback", image.ToString(), "--to", point);
        Assert.NotEqual(0, (await sandbox.RunAsync("rollback", "vms/not-there", "--to", point)).ExitCode);
        Assert.Equal(
            [$"restore.start {point}", $"restore.end {point}", $"restore.start {point}", $"restore.error {point}"],
            (await events.TypesAsync(6, "point")).Skip(2));
    }

    [Fact]
    public async Task The_usage_of_a_day_is_told_once_by_however_many_workers_and_again_by_the_same_id_after_a_kill()
    {
        await using var events = await EventQueue.OpenAsync(_name);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 200_000, 1);
        using var sandbox = new Sandbox([.. WorkerProcess.Settings(_name), events.Setting]);
        var points = new[] { await ImportAsync(sandbox, image, "old", Yesterday.AddDays(-3)), await ImportAsync(sandbox, image, "new", Yesterday.AddHours(23)) };
        await ImportAsync(sandbox, image, "today", DateTime.UtcNow);

        using (var killed = sandbox.Start(new Dictionary<string, string> { ["RBDBACKUP_KILL_AT"] = "usage.told" }, "worker"))
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            await killed.WaitForExitAsync(patience.Token);
        }

        var first = Assert.Single(await UsageAsync(events));
        await using (var one = await WorkerProcess.StartAsync(sandbox))
        await using (var two = await WorkerProcess.StartAsync(sandbox))
        {
            await WorkerProcess.UntilAsync("the day's usage told", () => Task.FromResult(one.Says("told of the usage of 1 disks") + two.Says("told of the usage of 1 disks") == 1), one);
        }

        await using (await WorkerProcess.StartAsync(sandbox))
        {
        }

        var all = await UsageAsync(events);
        Assert.Equal(2, all.Count);
        Assert.Equal(first["message_id"]!.GetValue<string>(), all[1]["message_id"]!.GetValue<string>());
        var payload = all[1]["payload"]!;
        Assert.Equal(image.ToString(), payload["image"]!.GetValue<string>());
        Assert.Equal((2, Size), (payload["points"]!.GetValue<int>(), payload["size"]!.GetValue<int>()));
        Assert.Equal(points.Sum(p => p.Stored), payload["stored_bytes"]!.GetValue<long>());
        Assert.Equal(points[1].Id, payload["newest_point"]!.GetValue<string>());
        Assert.Equal(
            ($"{Yesterday:yyyy-MM-dd} 00:00:00", $"{DateTime.UtcNow.Date:yyyy-MM-dd} 00:00:00"),
            (payload["audit_period_beginning"]!.GetValue<string>(), payload["audit_period_ending"]!.GetValue<string>()));
    }

    private static async Task<List<JsonNode>> UsageAsync(EventQueue events) =>
        [.. (await events.AllAsync()).Where(e => e["event_type"]!.GetValue<string>() == "rbdbackup.backup.exists")];

    /// <summary>A full of what the image is now, as if it had been made at that time.</summary>
    private static async Task<(string Id, long Stored)> ImportAsync(Sandbox sandbox, TestImage image, string name, DateTime created)
    {
        var file = Path.Combine(sandbox.Folder, name);
        await Tool.RbdAsync("snap", "create", $"{image}@{name}");
        await Tool.RbdAsync("export-diff", $"{image}@{name}", file);
        await Tool.RbdAsync("snap", "rm", $"{image}@{name}");
        var made = (await sandbox.DoAsync("import", file, "--as", image.ToString(), "--created", $"{created:yyyy-MM-ddTHH:mm:ss}Z")).EnumerateArray().Single();
        return (made.GetProperty("id").GetString()!, made.GetProperty("stored_bytes").GetInt64());
    }

    /// <summary>An RBD namespace of a test's own, in which nothing else is.</summary>
    private sealed class ImageNamespace(string space) : IAsyncDisposable
    {
        public string Name => $"vms/{space}";

        public static async Task<ImageNamespace> CreateAsync(string space)
        {
            await Tool.RbdAsync("namespace", "create", $"vms/{space}");
            return new ImageNamespace(space);
        }

        public async Task<string> ImageAsync(string name)
        {
            await Tool.RbdAsync("create", "--size", "1", $"{Name}/{name}");
            return $"{Name}/{name}";
        }

        /// <summary>All images are lost.</summary>
        public async Task EmptyAsync()
        {
            foreach (var name in (await Tool.RbdAsync("ls", Name)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                await Tool.RbdAsync("snap", "purge", $"{Name}/{name}");
                await Tool.RbdAsync("rm", $"{Name}/{name}");
            }
        }

        public async ValueTask DisposeAsync()
        {
            await EmptyAsync();
            await Tool.RbdAsync("namespace", "remove", Name);
        }
    }
}
