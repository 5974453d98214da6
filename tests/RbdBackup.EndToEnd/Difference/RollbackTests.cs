namespace RbdBackup.EndToEnd.Difference;

/// <summary>
/// What Cinder's revert, Nova's resize revert and our own rollback do to object maps: fast-diff misses objects then and says nothing.
/// </summary>
public sealed class RollbackTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 4 * Mib;

    [Fact]
    public async Task A_revert_to_a_snapshot_older_than_the_base()
    {
        await using var scene = await BeginAsync();
        await scene.Image.SnapshotAsync("x1");
        var x2 = await scene.Image.SnapshotAsync("x2");
        await scene.Image.FillAsync(Mib, 5000, 2);
        await scene.BackupAsync();
        await scene.Image.RollbackAsync(x2);
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task A_revert_to_an_older_snapshot_that_is_then_removed()
    {
        await using var scene = await BeginAsync();
        var x1 = await scene.Image.SnapshotAsync("x1");
        await scene.Image.FillAsync(Mib, 5000, 2);
        var x2 = await scene.Image.SnapshotAsync("x2");
        await scene.Image.FillAsync(2 * Mib, 5000, 3);
        await scene.BackupAsync();
        await scene.Image.RollbackAsync(x2);
        await scene.Image.RemoveSnapshotAsync(x2);
        await scene.IncrementAsync();
        await scene.Image.RollbackAsync(x1);
        await scene.Image.RemoveSnapshotAsync(x1);
        await scene.IncrementAsync();
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task Nova_s_resize_revert()
    {
        await using var scene = await BeginAsync();
        await scene.BackupAsync();
        var resize = await scene.Image.SnapshotAsync("nova-resize");
        await scene.Image.FillAsync(Mib, 5000, 2);
        await scene.IncrementAsync();
        await scene.Image.FillAsync(3 * Mib, 5000, 3);
        await scene.Image.RollbackAsync(resize);
        await scene.Image.RemoveSnapshotAsync(resize);
        await scene.IncrementAsync();
        await scene.Image.FillAsync(0, 5000, 4);
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task Our_own_rollback_to_the_base()
    {
        await using var scene = await BeginAsync();
        await scene.Image.FillAsync(Mib, 5000, 2);
        await scene.BackupAsync();
        await scene.Image.FillAsync(Mib, 9000, 3);
        await scene.Image.ZeroAsync(0, Mib);
        await scene.Sandbox.DoAsync("rollback", $"{scene.Image}", "--to", scene.Points[^1].Point);
        await scene.IncrementAsync();
        Scene.AssertSame(scene.Points[^2].Content, scene.Points[^1].Content, "the image that was rolled back");
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task A_revert_to_the_snapshot_that_the_base_was_taken_from_before_it_goes()
    {
        await using var scene = await BeginAsync();
        await scene.BackupAsync();
        await scene.Image.FillAsync(Mib, 5000, 2);

        // The second point is a snapshot of somebody else's, so the first one's stays and can be gone back to.
        var cinder = await scene.Image.SnapshotAsync("cinder");
        await scene.BackupAsync(cinder, "cinder");
        await scene.Sandbox.DoAsync("rollback", $"{scene.Image}", "--to", scene.Points[0].Point);
        await scene.IncrementAsync();
        await scene.Image.RemoveSnapshotAsync(cinder);
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
    }

    private async Task<Scene> BeginAsync()
    {
        var scene = new Scene(await mini.CreateAsync(Size));
        await scene.Image.FillAsync(0, 3 * Mib, 1);
        return scene;
    }
}
