using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.Failure;

/// <summary>
/// A worker killed at each step of a job that a notification asked for; the next worker makes the point, once, and leaves nothing else. Most of the
/// time is waiting for the dead worker's lease, so the steps are spread over classes, which run at the same time.
/// </summary>
public abstract class KilledWorker(Mini mini)
{
    private const int Size = 4 << 20;

    protected async Task FinishAsync(string step)
    {
        var name = $"e2e-{Guid.NewGuid():N}";
        using var sandbox = new Sandbox(WorkerProcess.Settings(name));
        var server = Guid.NewGuid().ToString();
        await using var image = await mini.CreateAsync(Size, name: $"{server}_disk");
        await image.FillAsync(0, 3 << 20, seed: 1);
        await using (var first = await WorkerProcess.StartAsync(sandbox, killAt: step))
        {
            await WorkerProcess.PublishAsync($"{name}.nova", WorkerProcess.Policy(server, "daily"));
            await WorkerProcess.UntilAsync("the worker to be killed", () => Task.FromResult(first.HasExited), first);
        }

        var begun = Directory.Exists(Path.Combine(sandbox.StoreFolder, "data"))
            ? Path.GetFileName(Directory.GetDirectories(Path.Combine(sandbox.StoreFolder, "data")).SingleOrDefault())
            : null;
        await using var second = await WorkerProcess.StartAsync(sandbox);
        await WorkerProcess.UntilAsync(
            "the job to be finished", async () => (await sandbox.DoAsync("jobs")).EnumerateArray().Any(j => j.GetProperty("state").GetString() == "finished"), second);

        var point = Assert.Single(await WorkerProcess.PointsAsync(sandbox));
        var id = point.GetProperty("id").GetString()!;
        Assert.True(begun is null || begun == id, "it goes on with what the dead one began");
        Assert.Equal(await image.ReadAsync(), await sandbox.ExportFullAsync(id));
        Assert.Equal(point.GetProperty("snapshot_id").GetUInt64(), Assert.Single((await image.InfoAsync()).Snapshots).Id);
        Assert.Single((await sandbox.DoAsync("jobs")).EnumerateArray());
    }
}

public sealed class KilledWorkerWhileBeginningTests(Mini mini) : KilledWorker(mini), IClassFixture<Mini>
{
    [Theory]
    [InlineData("backup.intent")]
    [InlineData("backup.snapshot")]
    [InlineData("backup.recorded")]
    [InlineData("backup.planned")]
    public Task The_next_worker_finishes_it(string step) => FinishAsync(step);
}

public sealed class KilledWorkerWhileStoringTests(Mini mini) : KilledWorker(mini), IClassFixture<Mini>
{
    [Theory]
    [InlineData("backup.segment")]
    [InlineData("backup.segment:2")]
    [InlineData("backup.exported")]
    [InlineData("point.indexed")]
    public Task The_next_worker_finishes_it(string step) => FinishAsync(step);
}

public sealed class KilledWorkerWhileEndingTests(Mini mini) : KilledWorker(mini), IClassFixture<Mini>
{
    [Theory]
    [InlineData("backup.manifest")]
    [InlineData("backup.committed")]
    [InlineData("backup.released")]
    public Task The_next_worker_finishes_it(string step) => FinishAsync(step);
}
