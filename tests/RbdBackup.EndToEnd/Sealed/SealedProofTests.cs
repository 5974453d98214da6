using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Difference;
using RbdBackup.EndToEnd.Everywhere;

namespace RbdBackup.EndToEnd.Sealed;

/// <summary>A sealed repository that proves itself, and its second site, by the commands.</summary>
public sealed class SealedProofTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 8 * Mib;

    [Theory]
    [InlineData("--quick", 2)]
    [InlineData("--data", 2)]
    [InlineData("--source", 1)]
    [InlineData("--restore", 2)]
    public async Task Good_points_are_verified(string how, int points)
    {
        await using var scene = await BeginAsync();
        var all = await scene.Sandbox.DoAsync("verify", "--all", how);
        Assert.Equal((0, 0), (all.GetProperty("damaged").GetInt32(), all.GetProperty("failed").GetInt32()));
        Assert.Equal(points, all.GetProperty("ok").GetInt32());
        var listed = (await scene.Sandbox.DoAsync("list")).EnumerateArray().Single(p => p.GetProperty("id").GetString() == scene.Points[^1].Point);
        Assert.Equal((true, how[2..]), (listed.GetProperty("verified_ok").GetBoolean(), listed.GetProperty("verified_kind").GetString()));
    }

    [Theory]
    [InlineData("0*", "--data")]
    [InlineData("0*", "--restore")]
    [InlineData("index.*", "--data")]
    [InlineData("wraps.*", "--data")]
    public async Task What_changed_places_is_found_and_never_restored(string what, string how)
    {
        await using var scene = await BeginAsync();
        var files = scene.Points.Select(p => Directory.GetFiles(Path.Combine(scene.Sandbox.StoreFolder, "data", p.Point), what).Order(StringComparer.Ordinal).First()).ToList();
        File.Move(files[0], files[0] + "~");
        File.Move(files[1], files[0]);
        File.Move(files[0] + "~", files[1]);
        var result = await scene.Sandbox.RunAsync("verify", "--all", how);
        Assert.Equal((int)ErrorKind.Corrupt, result.ExitCode);
        Assert.Equal(2, result.Json.GetProperty("damaged").GetInt32());
        await using var target = mini.Target();
        Assert.Equal((int)ErrorKind.Corrupt, (await scene.Sandbox.RunAsync("restore", scene.Points[1].Point, "--to", $"{target}")).ExitCode);
    }

    [Theory]
    [InlineData("s3")]
    [InlineData("folder")]
    public async Task A_copy_is_sealed_follows_a_rotation_and_restores_without_the_first_site(string kind)
    {
        await using var scene = await BeginAsync();
        using var keys = new Sandbox();
        var store = kind == "s3" ? StoreKindsTests.SettingsOf("s3") : [$"store.url=file://{keys.StoreFolder}"];
        using var site = new Sandbox([.. store, $"encryption.key_file={NewKey(keys, "second")}"]);
        var refused = await scene.Sandbox.RunAsync("copy", "--all", "--to-config", site.ConfigFile);
        Assert.Equal((int)ErrorKind.Refused, refused.ExitCode);
        Assert.Contains("key add", refused.Error, StringComparison.Ordinal);

        await scene.Sandbox.DoAsync("key", "add", "--new-key-file", Path.Combine(keys.Folder, "second"), "--label", "the second site");
        await scene.Sandbox.DoAsync("pin", scene.Points[0].Point, "--until", "2099-12-31", "--why", "a test");
        var copied = await scene.Sandbox.DoAsync("copy", "--all", "--to-config", site.ConfigFile);
        Assert.All(copied.GetProperty("points").EnumerateArray(), p => Assert.Equal("copied", p.GetProperty("state").GetString()));
        Assert.Equal(0, (await scene.Sandbox.DoAsync("copy", "--all", "--to-config", site.ConfigFile)).GetProperty("objects").GetInt64());

        // The master key is rotated at the first site, which keeps its own slot only, and adds the second site's again.
        await scene.Sandbox.DoAsync("key", "rotate", "--lose-slots");
        Assert.Equal((int)ErrorKind.Refused, (await scene.Sandbox.RunAsync("copy", "--all", "--to-config", site.ConfigFile)).ExitCode);
        await scene.Sandbox.DoAsync("key", "add", "--new-key-file", Path.Combine(keys.Folder, "second"), "--label", "the second site");
        await scene.Image.FillAsync(4 * Mib, Mib, 3);
        await scene.IncrementAsync();
        await scene.Sandbox.DoAsync("copy", "--all", "--to-config", site.ConfigFile);
        Assert.All((await site.DoAsync("key", "list")).EnumerateArray(), s => Assert.Equal(2, s.GetProperty("generation").GetInt32()));

        Directory.Delete(scene.Sandbox.StoreFolder, recursive: true);
        Assert.Equal(3, (await site.DoAsync("verify", "--all", "--data")).GetProperty("ok").GetInt32());
        await site.DoAsync("gc");
        var listed = (await site.DoAsync("list")).EnumerateArray().Single(p => p.GetProperty("id").GetString() == scene.Points[0].Point);
        Assert.Equal("a test", listed.GetProperty("pinned_why").GetString());
        await using var target = mini.Target();
        await site.DoAsync("restore", scene.Points[^1].Point, "--to", $"{target}");
        Scene.AssertSame(scene.Points[^1].Content, await target.ReadAsync(), "the image from the copy");
        using var without = new Sandbox(store);
        Assert.Equal((int)ErrorKind.Permission, (await without.RunAsync("list")).ExitCode);
    }

    private static string NewKey(Sandbox sandbox, string name)
    {
        var file = Path.Combine(sandbox.Folder, name);
        File.WriteAllText(file, Convert.ToHexString(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)) + "\n");
        return file;
    }

    private async Task<Scene> BeginAsync()
    {
        var scene = new Scene(await mini.CreateAsync(Size), "encryption.key_command=echo a passphrase of a test", "repository.segment_size=1MiB", "repository.compression=zstd:3");
        await scene.Image.FillAsync(Mib / 2, 3 * Mib, 1);
        await scene.BackupAsync();
        await scene.Image.FillAsync(2 * Mib, 600_000, 2);
        await scene.Image.ZeroAsync(Mib, 300_000);
        await scene.IncrementAsync();
        return scene;
    }
}
