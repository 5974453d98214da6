namespace RbdBackup.EndToEnd.Difference;

/// <summary>The promise: what is stored can be had back with public tools alone.</summary>
public sealed class PublicToolsTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 6 * Mib;

    [Theory]
    [InlineData("none")]
    [InlineData("zstd:3")]
    public async Task Cat_zstd_and_import_diff_restore_a_chain(string compression)
    {
        await using var scene = await ChainAsync($"repository.compression={compression}", "repository.segment_size=1MiB");
        await using var target = await mini.CreateAsync(Size);
        foreach (var (point, content) in scene.Points)
        {
            await Tool.BashAsync(
                "cat $(ls \"$1\"/data/\"$2\"/[0-9]* | sort) | zstd -dc | rbd --name client.admin import-diff --no-progress - \"$3\"",
                scene.Sandbox.StoreFolder, point, $"{target}");
            Scene.AssertSame(content, await target.ReadAsync(), $"point {point}");
        }
    }

    [Fact]
    public async Task Exports_go_through_import_diff_and_merge_diff()
    {
        await using var scene = await ChainAsync();
        var files = new List<string>();
        foreach (var (point, _) in scene.Points)
        {
            files.Add(Path.Combine(scene.Sandbox.Folder, point));
            await scene.Sandbox.DoAsync("export", point, "-o", files[^1]);
        }

        await using (var target = await mini.CreateAsync(Size))
        {
            await ImportAsync(files[0], target);
            await Tool.RbdAsync("merge-diff", "--no-progress", files[1], files[2], $"{files[2]}.merged");
            await ImportAsync($"{files[2]}.merged", target);
            Scene.AssertSame(scene.Points[2].Content, await target.ReadAsync(), "a full, then two increments merged");
        }

        await using (var target = await mini.CreateAsync(Size))
        {
            await scene.Sandbox.DoAsync("export", scene.Points[2].Point, "--full", "-o", $"{files[2]}.full");
            await ImportAsync($"{files[2]}.full", target);
            Scene.AssertSame(scene.Points[2].Content, await target.ReadAsync(), "the whole export");
        }
    }

    private static Task<string> ImportAsync(string file, TestImage target) => Tool.RbdAsync("import-diff", "--no-progress", file, $"{target}");

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
        return scene;
    }
}
