using RbdBackup.EndToEnd.Worker;
using RbdBackup.OpenStack.BlockStorage;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>A tenant brings data back into a new volume, with nothing but the volume's metadata.</summary>
[Trait("Needs", "OpenStack")]
public sealed class VolumeFillTests(Mini mini) : IClassFixture<Mini>
{
    private readonly string _name = Mini.NewName();

    private string AskKey => $"{_name}_restore";

    [Fact]
    public async Task What_is_the_tenant_s_is_filled_and_all_else_is_refused_untouched()
    {
        await using var scene = await BeginAsync("1s");
        await using var other = Tenant.Of("B");
        var mine = await scene.VolumeAsync(seed: 1);
        await scene.Service.Cloud.BlockStorage.SetBootableAsync(mine.Id, true, default);
        var (content, point) = (await scene.ReadAsync(mine.Id), await scene.BackupAsync(mine.Id));
        var theirs = await other.CreateVolumeAsync(2);
        await scene.FillAsync(theirs.Id, 0, 4096, seed: 2);
        var theirPoint = await scene.BackupAsync(theirs.Id);
        await using var worker = await WorkerProcess.StartAsync(scene.Sandbox);

        // The project's quota is small: one volume asks for one thing after the other, as a tenant does who corrects himself.
        var asked = await AskAsync(scene, "bring it back, please");
        await RefusedAsync(scene, asked.Id, "neither a point", worker);
        foreach (var (what, why) in new[]
        {
            ($"{mine.Id}@2020-01-01", "no point"), (Guid.CreateVersion7().ToString(), "no point"), (theirPoint, "no point"), ($"{theirs.Id}@latest", "no point"),
        })
        {
            await AskAgainAsync(scene.Tenant, asked.Id, what);
            await RefusedAsync(scene, asked.Id, why, worker);
        }

        await AskAgainAsync(scene.Tenant, asked.Id, $"{mine.Id}@latest");
        await StatusAsync(scene, asked.Id, $"done: point {point}", worker);
        await scene.IsCleanAsync(asked.Id);
        Assert.Equal(content, await scene.ReadAsync(asked.Id));
        Assert.True((await scene.Service.Cloud.BlockStorage.GetVolumeAsync(asked.Id, default)).Bootable);

        // Its own owner gets it, but not into a volume that is too small.
        var small = await other.CreateVolumeAsync(1, new Dictionary<string, string> { [AskKey] = theirPoint });
        Assert.Contains("needs 2 GiB", await StatusAsync(scene, small.Id, "refused: ", worker), StringComparison.Ordinal);

        // Whose a disk was that is gone nobody can prove any more.
        await other.Cloud.BlockStorage.DeleteVolumeAsync(theirs.Id, default);
        await Tenant.UntilAsync("the volume is gone", () => Tenant.IsGoneAsync(() => other.Cloud.BlockStorage.GetVolumeAsync(theirs.Id, default)));
        await AskAgainAsync(scene.Tenant, mine.Id, theirPoint);
        await StatusAsync(scene, mine.Id, "refused: ", worker);
        Assert.Equal(content, await scene.ReadAsync(mine.Id));
    }

    [Fact]
    public async Task A_volume_that_was_written_to_keeps_what_it_has()
    {
        await using var scene = await BeginAsync("1s");
        var (mine, written) = (await scene.VolumeAsync(seed: 1), await scene.VolumeAsync(seed: 2));
        var (point, content) = (await scene.BackupAsync(mine.Id), await scene.ReadAsync(written.Id));
        await scene.Tenant.Cloud.BlockStorage.SetMetadataAsync(written.Id, new Dictionary<string, string> { [AskKey] = point }, default);
        await using var worker = await WorkerProcess.StartAsync(scene.Sandbox);
        Assert.Contains("new, empty", await StatusAsync(scene, written.Id, "refused: ", worker), StringComparison.Ordinal);
        await scene.IsCleanAsync(written.Id);
        Assert.Equal(content, await scene.ReadAsync(written.Id));
    }

    [Fact]
    public async Task A_notification_is_enough_and_two_workers_fill_it_once()
    {
        await using var scene = await BeginAsync("1d");
        await using var events = await EventQueue.OpenAsync(_name);
        var mine = await scene.VolumeAsync(seed: 1);
        var (content, point) = (await scene.ReadAsync(mine.Id), await scene.BackupAsync(mine.Id));
        await using var one = await WorkerProcess.StartAsync(scene.Sandbox);
        await using var two = await WorkerProcess.StartAsync(scene.Sandbox);
        var asked = await AskAsync(scene, point);
        await scene.Tenant.VolumeUntilAsync(asked.Id, "available");
        for (var times = 0; times < 4; times++)
        {
            await WorkerProcess.PublishAsync($"{_name}.cinder", WorkerProcess.Message("cinder-legacy-volume.create.end.json", "volume_id", asked.Id));
        }

        await StatusAsync(scene, asked.Id, $"done: point {point}", one);
        await scene.IsCleanAsync(asked.Id);
        Assert.Equal(content, await scene.ReadAsync(asked.Id));
        Assert.Equal(1, new[] { one, two }.Sum(w => w.Count($"volume {asked.Id} of project")));
        IEnumerable<string> told = [];
        await WorkerProcess.UntilAsync(
            "the restore's events", async () => (told = (await events.TypesAsync(0, "volume_id")).Where(e => e.StartsWith("restore.", StringComparison.Ordinal))).Count() == 2, one);
        Assert.Equal([$"restore.start {asked.Id}", $"restore.end {asked.Id}"], told);
    }

    [Theory]
    [InlineData("fill.journal")]
    [InlineData("fill.held")]
    [InlineData("in-place.write")]
    [InlineData("fill.filled")]
    [InlineData("fill.said")]
    public async Task What_a_worker_leaves_that_is_killed_another_finishes(string step)
    {
        await using var scene = await BeginAsync("1s");
        var mine = await scene.VolumeAsync(seed: 1);
        var (content, point) = (await scene.ReadAsync(mine.Id), await scene.BackupAsync(mine.Id));
        var asked = await AskAsync(scene, point);
        await using (var killed = await WorkerProcess.StartAsync(scene.Sandbox, step))
        {
            await WorkerProcess.UntilAsync("its end", () => Task.FromResult(killed.HasExited), killed);
        }

        await using var worker = await WorkerProcess.StartAsync(scene.Sandbox);

        await StatusAsync(scene, asked.Id, $"done: point {point}", worker);
        await scene.IsCleanAsync(asked.Id);
        Assert.Equal(content, await scene.ReadAsync(asked.Id));
    }

    [Fact]
    public async Task What_can_t_be_restored_leaves_an_empty_volume_and_says_so()
    {
        await using var scene = await BeginAsync("1s");
        var mine = await scene.VolumeAsync(seed: 1);
        var point = await scene.BackupAsync(mine.Id);
        File.Delete(Directory.GetFiles(Path.Combine(scene.Sandbox.StoreFolder, "data", point), "00000001.*").Single());
        var asked = await AskAsync(scene, point);
        await using var worker = await WorkerProcess.StartAsync(scene.Sandbox);
        await StatusAsync(scene, asked.Id, "failed: ", worker);
        await scene.IsCleanAsync(asked.Id);
        Assert.Equal(new byte[VolumeScene.Looked], await scene.ReadAsync(asked.Id));
    }

    [Fact]
    public async Task A_disk_that_is_gone_is_given_back_to_whom_Cinder_said_it_belonged_when_it_was_backed_up()
    {
        await using var scene = await BeginAsync("1s", "tenants.ask_cloud=true", "tenants.reconcile_interval=1s");
        await using var other = Tenant.Of("B");
        await using var worker = await WorkerProcess.StartAsync(scene.Sandbox);
        var mine = await scene.VolumeAsync(seed: 1);
        var content = await scene.ReadAsync(mine.Id);
        await scene.Tenant.Cloud.BlockStorage.SetMetadataAsync(mine.Id, new Dictionary<string, string> { [$"{_name}_policy"] = "daily" }, default);
        await WorkerProcess.HasPointsAsync(scene.Sandbox, 1, worker);
        var point = (await WorkerProcess.PointsAsync(scene.Sandbox)).Single().GetProperty("id").GetString()!;
        await scene.Tenant.Cloud.BlockStorage.DeleteVolumeAsync(mine.Id, default);
        await Tenant.UntilAsync("the volume is gone", () => Tenant.IsGoneAsync(() => scene.Tenant.Cloud.BlockStorage.GetVolumeAsync(mine.Id, default)));

        var theirs = await other.CreateVolumeAsync(1, new Dictionary<string, string> { [AskKey] = point });
        Assert.Contains("no point", await StatusAsync(scene, theirs.Id, "refused: ", worker), StringComparison.Ordinal);
        var asked = await AskAsync(scene, $"{mine.Id}@latest");
        await StatusAsync(scene, asked.Id, $"done: point {point}", worker);
        Assert.Equal(content, await scene.ReadAsync(asked.Id));
    }

    /// <summary>With metadata keys of its own: the cloud has other workers.</summary>
    private Task<VolumeScene> BeginAsync(string interval, params string[] more) => VolumeScene.BeginAsync(
        mini, [.. WorkerProcess.Settings(_name), $"notifications.metadata_prefix={_name}_", $"notifications.events_exchange={_name}.events", $"restore.volumes_interval={interval}", "jobs.restore_concurrency=4", .. more]);

    private async Task<Volume> AskAsync(VolumeScene scene, string what)
    {
        var asked = new NewVolume("volumes-fill", 1) { Metadata = new Dictionary<string, string> { [AskKey] = what } };
        var volume = await scene.Tenant.Cloud.BlockStorage.CreateVolumeAsync(asked, default);
        scene.Tenant.Own(volume: volume.Id);
        return volume;
    }

    private async Task AskAgainAsync(Tenant tenant, string volume, string what)
    {
        await tenant.Cloud.BlockStorage.SetMetadataAsync(volume, new Dictionary<string, string> { [AskKey] = what }, default);
        await tenant.Cloud.BlockStorage.DeleteMetadataAsync(volume, $"{AskKey}_status", default);
    }

    private async Task RefusedAsync(VolumeScene scene, string volume, string why, WorkerProcess worker)
    {
        Assert.Contains(why, await StatusAsync(scene, volume, "refused: ", worker), StringComparison.Ordinal);
        await scene.IsCleanAsync(volume);
        Assert.Equal(new byte[VolumeScene.Looked], await scene.ReadAsync(volume));
    }

    private async Task<string> StatusAsync(VolumeScene scene, string volume, string begins, WorkerProcess worker)
    {
        var status = "";
        await WorkerProcess.UntilAsync($"{begins} on volume {volume}, which says '{status}'", async () =>
            (status = (await scene.Service.Cloud.BlockStorage.GetVolumeAsync(volume, default)).Metadata.GetValueOrDefault($"{AskKey}_status") ?? "").StartsWith(begins, StringComparison.Ordinal), worker);
        return status;
    }
}
