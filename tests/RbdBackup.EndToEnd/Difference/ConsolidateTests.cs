namespace RbdBackup.EndToEnd.Difference;

/// <summary>Points that become independent, and those that go below them, with the command on a real image.</summary>
public sealed class ConsolidateTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 6 * Mib;

    [Fact]
    public async Task The_full_goes_and_what_stood_on_it_restores_exports_and_grows_on()
    {
        await using var scene = await ChainAsync();
        var points = scene.Points.ToList();
        var made = await scene.Sandbox.DoAsync("consolidate", points[2].Point);
        Assert.Equal(2, Assert.Single(made.EnumerateArray()).GetProperty("revision").GetInt32());

        var planned = await scene.Sandbox.DoAsync("prune", points[0].Point, "--dry-run");
        Assert.Equal(["drop", "consolidate"], planned.GetProperty("points").EnumerateArray().Select(p => p.GetProperty("action").GetString()));
        var refused = await scene.Sandbox.RunAsync("prune", points[0].Point, "--no-consolidate");
        Assert.Equal(10, refused.ExitCode);
        await scene.PruneAsync(points[0].Point);
        Assert.True((await scene.Sandbox.DoAsync("gc")).GetProperty("candidates").GetInt32() > 0);
        await scene.CheckAllAsync(mini);
        await scene.Image.FillAsync(3 * Mib, 5000, 9);
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task A_pair_goes_through_import_diff_in_both_directions()
    {
        await using var scene = await ChainAsync();
        var (first, last) = (scene.Points[0], scene.Points[^1]);
        await scene.Sandbox.DoAsync("consolidate", last.Point);
        await scene.PruneAsync(scene.Points[1].Point, scene.Points[2].Point);
        await using var target = await mini.CreateAsync(Size);
        await ImportAsync(scene, target, "export", first.Point, "--full");
        await ImportAsync(scene, target, "export", last.Point, "--from", first.Point);
        Scene.AssertSame(last.Content, await target.ReadAsync(), "the last point, made of the first");
        await Tool.RbdAsync("snap", "rm", $"{target}@rbdbackup.{first.Point}", "--no-progress");
        await ImportAsync(scene, target, "export", first.Point, "--from", last.Point);
        Scene.AssertSame(first.Content, await target.ReadAsync(), "the first point, made of the last");
    }

    [Fact]
    public async Task An_export_of_an_independent_point_is_its_difference_while_its_base_is_there_and_then_the_whole()
    {
        await using var scene = await ChainAsync();
        var (below, point) = (scene.Points[^2], scene.Points[^1]);
        await scene.Sandbox.DoAsync("consolidate", below.Point, point.Point);
        var file = Path.Combine(scene.Sandbox.Folder, "own");
        var own = await scene.Sandbox.DoAsync("export", point.Point, "-o", file);
        Assert.Equal(below.Point, own.GetProperty("from").GetString());
        Scene.AssertSame(point.Content, DiffFile.Apply(file, [.. below.Content]), "the difference");
        await scene.PruneAsync(below.Point);
        var whole = await scene.Sandbox.RunAsync("export", point.Point, "-o", file);
        Assert.True(whole.Json.GetProperty("full").GetBoolean());
        Assert.Contains("is gone", whole.Error, StringComparison.Ordinal);
        Scene.AssertSame(point.Content, DiffFile.Apply(file, []), "the whole image");
    }

    [Fact]
    public async Task The_last_good_point_stays_unless_it_is_forced()
    {
        await using var scene = new Scene(await mini.CreateAsync(Size));
        await scene.BackupAsync();
        var refused = await scene.Sandbox.RunAsync("prune", scene.Points[0].Point);
        Assert.Equal(10, refused.ExitCode);
        Assert.Contains("last good point", refused.Error, StringComparison.Ordinal);
        await scene.Sandbox.DoAsync("prune", scene.Points[0].Point, "--force");
        Assert.Empty((await scene.Sandbox.DoAsync("list")).EnumerateArray());
        await scene.Sandbox.DoAsync("prune", scene.Points[0].Point);
        Assert.Equal(3, (await scene.Sandbox.RunAsync("prune", "01900000-0000-7000-8000-000000000000")).ExitCode);
    }

    private static async Task ImportAsync(Scene scene, TestImage target, params string[] export)
    {
        var file = Path.Combine(scene.Sandbox.Folder, "stream");
        await scene.Sandbox.DoAsync([.. export, "-o", file]);
        await Tool.RbdAsync("import-diff", "--no-progress", file, $"{target}");
    }

    private async Task<Scene> ChainAsync(params string[] settings)
    {
        var scene = new Scene(await mini.CreateAsync(Size), settings);
        await scene.Image.FillAsync(Mib, 3 * Mib, 1);
        await scene.BackupAsync();
        await scene.Image.FillAsync(100, 9000, 2);
        await scene.Image.ZeroAsync(2 * Mib, Mib);
        await scene.IncrementAsync();
        await scene.Image.ResizeAsync(Size + Mib);
        await scene.Image.FillAsync(Size, 5000, 3);
        await scene.IncrementAsync();
        await scene.Image.FillAsync((2 * Mib) + 4096, 8192, 4);
        await scene.IncrementAsync();
        return scene;
    }
}
