using RbdBackup.Core.Model;

namespace RbdBackup.EndToEnd.Difference;

/// <summary>Where the proof of an increment is missing: maps that can't be trusted, snapshots and images that went or were made anew.</summary>
public sealed class ProofTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 4 * Mib;

    [Fact]
    public async Task The_map_of_a_snapshot_in_between_is_gone()
    {
        await using var scene = await BeginAsync();
        await scene.Image.FillAsync(Mib, 5000, 2);
        var between = await scene.Image.SnapshotAsync("between");
        await scene.Image.FillAsync(2 * Mib, 5000, 3);
        var id = (await scene.Image.InfoAsync()).ImageId;
        await Tool.RunAsync("rados", "--name", "client.admin", "--pool", "vms", "rm", $"rbd_object_map.{id}.{between:x16}");
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task Maps_that_were_switched_off_and_on_again_are_not_trusted()
    {
        await using var scene = await BeginAsync();
        await scene.Image.FillAsync(Mib, 5000, 2);
        await Tool.RbdAsync("feature", "disable", $"{scene.Image}", "object-map", "fast-diff");
        await scene.Image.FillAsync(2 * Mib, 5000, 3);
        Assert.Contains("no fast-diff", await scene.IncrementAsync(), StringComparison.Ordinal);
        await scene.Image.ZeroAsync(0, Mib);
        await Tool.RbdAsync("feature", "enable", $"{scene.Image}", "object-map", "fast-diff");
        Assert.Contains("is invalid", await scene.IncrementAsync(), StringComparison.Ordinal);
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task A_base_that_was_made_anew_under_its_name_is_no_base()
    {
        await using var scene = await BeginAsync();
        var old = Assert.Single((await scene.Image.InfoAsync()).Snapshots);
        await scene.Image.FillAsync(Mib, 5000, 2);
        await scene.Image.RemoveSnapshotAsync(old.Id);
        await scene.Image.SnapshotAsync(old.Name);
        await scene.FullAsync("the base snapshot is gone");
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task An_image_that_was_made_anew_under_its_name_gets_a_full()
    {
        await using var scene = await BeginAsync();
        await scene.Image.DisposeAsync();
        await mini.CreateAsync(Size, name: scene.Image.Spec.Name);
        await scene.Image.FillAsync(Mib, 5000, 2);
        await scene.FullAsync("made anew");
        await scene.CheckAllAsync(mini);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_snapshot_that_is_removed_under_the_export_drops_the_attempt(bool ofBase)
    {
        // Slow enough that the snapshot goes while the export runs: three reads of 4 MiB, the last one after 4 s.
        await using var scene = new Scene(await mini.CreateAsync(12 * Mib), "backup.throttle=2MiB/s");
        await scene.BackupAsync();
        var first = Assert.Single((await scene.Image.InfoAsync()).Snapshots);
        await scene.Image.FillAsync(0, 12 * Mib, 2);
        var running = scene.Sandbox.RunAsync("backup", "image", $"{scene.Image}");

        // The plan is stored between the snapshot and the first read.
        while (!running.IsCompleted && Plans(scene) < 2)
        {
            await Task.Delay(20);
        }

        var second = (await scene.Image.InfoAsync()).Snapshots.Single(s => s.Id != first.Id);
        await Tool.RbdAsync("snap", "rm", "--no-progress", $"{scene.Image}@{(ofBase ? first : second).Name}");
        var result = await running;

        Assert.Equal((int)ErrorKind.Dropped, result.ExitCode);
        Assert.Equal(1, (await scene.Sandbox.DoAsync("list")).GetArrayLength());
        Assert.Equal(ofBase ? [] : [first.Id], (await scene.Image.InfoAsync()).Snapshots.Select(s => s.Id));
        var after = await scene.BackupAsync();
        Assert.Equal(ofBase ? "full" : "increment", after.GetProperty("kind").GetString());
    }

    private static int Plans(Scene scene) => Directory.GetFiles(scene.Sandbox.StoreFolder, "plan.*", SearchOption.AllDirectories).Length;

    private async Task<Scene> BeginAsync()
    {
        var scene = new Scene(await mini.CreateAsync(Size));
        await scene.Image.FillAsync(0, 3 * Mib, 1);
        await scene.BackupAsync();
        return scene;
    }
}
