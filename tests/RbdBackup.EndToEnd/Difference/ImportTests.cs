namespace RbdBackup.EndToEnd.Difference;

/// <summary>What rbd export-diff wrote of a real image becomes points; and what pruned points left is compacted.</summary>
public sealed class ImportTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 6 * Mib;

    [Fact]
    public async Task Diffs_of_a_real_image_become_points_that_restore_and_export_the_same()
    {
        await using var image = await mini.CreateAsync(Size);
        using var sandbox = new Sandbox();
        var (files, contents) = (new List<string>(), new List<byte[]>());
        for (var n = 0; n < 3; n++)
        {
            await image.FillAsync(n * Mib, (3 - n) * 700_001, n + 1);
            await image.ZeroAsync((3 + n) * Mib, Mib / 2);
            await Tool.RbdAsync("snap", "create", $"{image}@import{n}", "--no-progress");
            files.Add(Path.Combine(sandbox.Folder, $"diff{n}"));
            await Tool.RbdAsync(["export-diff", "--no-progress", .. n == 0 ? (string[])[] : ["--from-snap", $"import{n - 1}"], $"{image}@import{n}", files[n]]);
            contents.Add(await image.ReadAsync());
        }

        var early = await sandbox.RunAsync("import", files[1], "--as", "vms/imported");
        Assert.Equal(3, early.ExitCode);
        Assert.Contains("import0", early.Error, StringComparison.Ordinal);
        var points = (await sandbox.DoAsync(["import", .. files, "--as", "vms/imported"])).EnumerateArray().Select(p => p.GetProperty("id").GetString()!).ToList();
        foreach (var (point, content) in points.Zip(contents))
        {
            Scene.AssertSame(content, await sandbox.ExportFullAsync(point), $"point {point}");
        }

        Assert.Equal(points, (await sandbox.DoAsync("list", "vms/imported")).EnumerateArray().Select(p => p.GetProperty("id").GetString()));
        await using var target = mini.Target();
        await sandbox.DoAsync("restore", points[2], "--to", $"{target}");
        Scene.AssertSame(contents[2], await target.ReadAsync(), "the restored image");
    }

    [Fact]
    public async Task What_pruned_points_left_is_compacted_and_the_last_point_restores()
    {
        await using var scene = new Scene(await mini.CreateAsync(Size), "repository.segment_size=1MiB", "repository.frame_size=64KiB");
        await scene.Image.FillAsync(0, 5 * Mib, 1);
        await scene.BackupAsync();
        for (var n = 0; n < 5; n++)
        {
            await scene.Image.FillAsync(n * Mib, 900_000, n + 2);
            await scene.IncrementAsync();
        }

        await scene.PruneAsync([.. scene.Points.SkipLast(1).Select(p => p.Point)]);
        var would = Assert.Single((await scene.Sandbox.DoAsync("compact", "--dry-run", "--min-live", "60")).GetProperty("groups").EnumerateArray());
        Assert.True(would.GetProperty("segments").GetInt32() > 0);
        var done = Assert.Single((await scene.Sandbox.DoAsync("compact", "--min-live", "60")).GetProperty("groups").EnumerateArray());
        Assert.Equal(scene.Points[0].Point, Assert.Single(done.GetProperty("points").EnumerateArray()).GetString());
        Assert.Equal(2, (await scene.Sandbox.RunAsync("compact", "--min-live", "101")).ExitCode);
        await scene.Sandbox.DoAsync("gc");
        await scene.CheckAllAsync(mini);
        await scene.Image.FillAsync(3 * Mib, 5000, 9);
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
    }
}
