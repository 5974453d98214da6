using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Difference;
using RbdBackup.EndToEnd.Failure;

namespace RbdBackup.EndToEnd.Sealed;

/// <summary>A sealed repository as operators have one: [encryption] set, images of the real cluster, the command.</summary>
public sealed class SealedTests(Mini mini) : IClassFixture<Mini>, IDisposable
{
    private const int Size = 6 << 20, Mib = 1 << 20;
    private readonly DirectoryInfo _keys = Directory.CreateTempSubdirectory("rbdbackup-e2e-keys-");

    public void Dispose() => _keys.Delete(recursive: true);

    [Theory]
    [InlineData("none", "key_file")]
    [InlineData("zstd:3", "key_command")]
    public async Task Backups_increments_consolidations_exports_and_restores_go_through_seals(string compression, string option)
    {
        var key = NewKey("key");
        await using var scene = await SceneAsync(compression, $"encryption.{option}={(option == "key_file" ? key : $"cat '{key}'")}");
        await scene.BackupAsync();
        await scene.Image.FillAsync(100, 9000, 2);
        await scene.Image.ZeroAsync(2 * Mib, Mib);
        await scene.IncrementAsync();
        await scene.Image.FillAsync(4 * Mib, Mib / 2, 3);
        await scene.IncrementAsync();
        await scene.Sandbox.DoAsync("consolidate", scene.Points[1].Point);
        await scene.Sandbox.DoAsync("prune", scene.Points[0].Point);
        await scene.Sandbox.DoAsync("key", "rotate");
        Scene.AssertSame(scene.Points[1].Content, await scene.Sandbox.ExportFullAsync(scene.Points[1].Point), "a consolidated point");

        var between = Path.Combine(scene.Sandbox.Folder, "between");
        await scene.Sandbox.DoAsync("export", scene.Points[2].Point, "--from", scene.Points[1].Point, "-o", between);
        Scene.AssertSame(scene.Points[2].Content, DiffFile.Apply(between, scene.Points[1].Content), "the difference of two points");

        await using var target = mini.Target();
        await scene.Sandbox.DoAsync("restore", scene.Points[2].Point, "--to", $"{target}");
        Scene.AssertSame(scene.Points[2].Content, await target.ReadAsync(), "the restored image");
        var gone = await scene.Sandbox.RunAsync("export", scene.Points[0].Point, "--full", "-o", between);
        Assert.Equal(3, gone.ExitCode);
    }

    [Fact]
    public async Task The_wrong_key_no_key_and_a_plain_repository_are_refused_with_what_to_do()
    {
        var key = NewKey("key");
        await using var scene = await SceneAsync("none", $"encryption.key_file={key}");
        await scene.BackupAsync();
        var secret = await File.ReadAllTextAsync(key);
        var shown = await scene.Sandbox.RunAsync("config", "show");
        Assert.DoesNotContain(secret.Trim(), shown.Output + shown.Error, StringComparison.Ordinal);

        var store = $"store.url=file://{scene.Sandbox.StoreFolder}";
        await FailsAsync([store], 5, "set [encryption] key_file");
        await FailsAsync([store, $"encryption.key_file={NewKey("other")}"], 5, "the key does not open the repository");
        await FailsAsync([store, $"encryption.key_file={_keys.FullName}/missing"], 2, "[encryption] key_file");
        await FailsAsync([store, "encryption.key_env=RBDBACKUP_NO_SUCH_VARIABLE"], 2, "[encryption] key_env");
        await FailsAsync([store, "encryption.key_command=exit 7"], 2, "exit code 7");
        await FailsAsync([store, $"encryption.key_file={key}", $"encryption.key_command=cat {key}"], 2, "more than one is set");

        await using var plain = await SceneAsync("none");
        await plain.BackupAsync();
        await FailsAsync([$"store.url=file://{plain.Sandbox.StoreFolder}", $"encryption.key_file={key}"], 10, "is not sealed");
    }

    [Fact]
    public async Task Keys_are_added_listed_removed_and_rotated_by_commands()
    {
        var (key, second) = (NewKey("key"), NewKey("second"));
        await using var scene = await SceneAsync("none", $"encryption.key_file={key}");
        await scene.BackupAsync();
        using var other = new Sandbox($"store.url=file://{scene.Sandbox.StoreFolder}", $"encryption.key_file={second}");
        Assert.Equal(5, (await other.RunAsync("list")).ExitCode);
        var added = await scene.Sandbox.DoAsync("key", "add", "--new-key-file", second, "--label", "the vault");
        Assert.Equal(("the vault", "raw"), (added.GetProperty("label").GetString(), added.GetProperty("kind").GetString()));
        Scene.AssertSame(scene.Points[0].Content, await other.ExportFullAsync(scene.Points[0].Point), "a point, by the second key");

        var slots = (await other.DoAsync("key", "list")).EnumerateArray().ToList();
        Assert.Equal([false, true], slots.Select(s => s.GetProperty("in_use").GetBoolean()).Order());
        var first = slots.Single(s => !s.GetProperty("in_use").GetBoolean()).GetProperty("slot").GetString()!;
        Assert.Equal(10, (await other.RunAsync("key", "rotate")).ExitCode);
        Assert.Equal(10, (await other.RunAsync("key", "remove", added.GetProperty("slot").GetString()!)).ExitCode);
        await other.DoAsync("key", "remove", first);
        Assert.Equal(5, (await scene.Sandbox.RunAsync("list")).ExitCode);
        Assert.Equal(2, (await other.DoAsync("key", "rotate")).GetProperty("generation").GetInt32());
        Scene.AssertSame(scene.Points[0].Content, await other.ExportFullAsync(scene.Points[0].Point), "a point, after the rotation");
    }

    [Theory]
    [InlineData("repository.key")]
    [InlineData("backup.segment:2")]
    [InlineData("backup.manifest")]
    public async Task A_sealed_backup_killed_anywhere_is_finished_by_the_same_command(string step)
    {
        using var sandbox = new Sandbox([.. Killed.Settings, $"encryption.key_file={NewKey("key")}"]);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 4 * Mib, seed: 1);
        await Killed.AtAsync(sandbox, step, "backup", "image", $"{image}");
        var point = await Killed.AgainAsync(sandbox, "backup", "image", $"{image}");
        Scene.AssertSame(await image.ReadAsync(), await sandbox.ExportFullAsync(point.GetProperty("id").GetString()!), "the point");
    }

    [Theory]
    [InlineData("key.older")]
    [InlineData("key.slot")]
    [InlineData("key.removed")]
    [InlineData("key.rewrapped")]
    public async Task A_rotation_killed_anywhere_is_finished_by_the_same_command(string step)
    {
        await using var scene = await SceneAsync("none", $"encryption.key_file={NewKey("key")}");
        await scene.BackupAsync();
        await Killed.AtAsync(scene.Sandbox, step, "key", "rotate");
        Scene.AssertSame(scene.Points[0].Content, await scene.Sandbox.ExportFullAsync(scene.Points[0].Point), "the point, before the second rotation");

        // One that died before it was through with the new key may as well be at it still: for a quarter of an hour nobody else may.
        var again = await scene.Sandbox.RunAsync("key", "rotate");
        if (step is "key.older" or "key.slot")
        {
            Assert.Equal((int)ErrorKind.Busy, again.ExitCode);
            scene.Sandbox.Ahead = TimeSpan.FromMinutes(16);
            again = await scene.Sandbox.RunAsync("key", "rotate");
            scene.Sandbox.Ahead = TimeSpan.Zero;
        }

        Assert.Equal(1, again.Json.GetProperty("rewrapped").GetInt32());
        Scene.AssertSame(scene.Points[0].Content, await scene.Sandbox.ExportFullAsync(scene.Points[0].Point), "the point");
        Assert.Single((await scene.Sandbox.DoAsync("key", "list")).EnumerateArray());
        await scene.Image.FillAsync(0, 5000, 7);
        await scene.IncrementAsync();
    }

    private static async Task FailsAsync(string[] settings, int exitCode, string message)
    {
        using var sandbox = new Sandbox(settings);
        var result = await sandbox.RunAsync("list");
        Assert.True(result.ExitCode == exitCode && result.Error.Contains(message, StringComparison.OrdinalIgnoreCase), $"{result.ExitCode}: {result.Error}");
    }

    private string NewKey(string name)
    {
        var file = Path.Combine(_keys.FullName, name);
        File.WriteAllText(file, Convert.ToHexString(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)) + "\n");
        return file;
    }

    private async Task<Scene> SceneAsync(string compression, params string[] settings)
    {
        var scene = new Scene(await mini.CreateAsync(Size), [.. settings, $"repository.compression={compression}", "repository.segment_size=1MiB"]);
        await scene.Image.FillAsync(Mib, 3 * Mib, 1);
        return scene;
    }
}
