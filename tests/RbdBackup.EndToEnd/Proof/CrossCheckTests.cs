using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Difference;

namespace RbdBackup.EndToEnd.Proof;

/// <summary>Object maps that are wrong without a flag that says so: what the cross-check and the comparison with the source make of them.</summary>
public sealed class CrossCheckTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 8 * Mib;

    [Fact]
    public async Task A_map_that_hides_a_change_makes_a_full_and_an_alarm()
    {
        await using var scene = await BeginAsync("100%");
        await HideAChangeAsync(scene);
        var result = await scene.Sandbox.RunAsync("backup", "image", $"{scene.Image}");
        Assert.Equal(0, result.ExitCode);
        Assert.Equal("full", result.Json.GetProperty("kind").GetString());
        Assert.Contains("the object maps are wrong", result.Json.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains(result.Error.Split('\n'), line => line.Contains("ERROR", StringComparison.Ordinal) && line.Contains("object maps of", StringComparison.Ordinal));
        var point = result.Json.GetProperty("id").GetString()!;
        Scene.AssertSame(await scene.Image.ReadAsync(), await scene.Sandbox.ExportFullAsync(point), "the full");
        var check = (await scene.Sandbox.DoAsync("show", point)).GetProperty("point").GetProperty("cross_check");
        Assert.Equal(5 * Mib, check.GetProperty("disagreed_at").GetInt64());

        // The maps of what comes later are right again.
        await scene.Image.FillAsync(Mib, 5000, 4);
        await scene.IncrementAsync();
    }

    [Fact]
    public async Task Without_the_cross_check_the_same_map_hides_the_change_and_the_source_comparison_finds_it()
    {
        await using var scene = await BeginAsync("0");
        await HideAChangeAsync(scene);
        var document = await scene.Sandbox.DoAsync("backup", "image", $"{scene.Image}");
        Assert.Equal("increment", document.GetProperty("kind").GetString());
        var point = document.GetProperty("id").GetString()!;
        Assert.Equal(JsonValueKind.Null, (await scene.Sandbox.DoAsync("show", point)).GetProperty("point").GetProperty("cross_check").ValueKind);
        Assert.Equal(0, (await scene.Sandbox.RunAsync("verify", point, "--data")).ExitCode);
        var verified = await scene.Sandbox.RunAsync("verify", point, "--source");
        Assert.Equal((int)ErrorKind.Corrupt, verified.ExitCode);
        Assert.Contains("did not store this range", verified.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Maps_that_are_right_agree_and_the_manifest_says_how_much_was_compared()
    {
        await using var scene = await BeginAsync("100%");
        await scene.Image.FillAsync(5 * Mib, 5000, 3);
        await scene.IncrementAsync();
        var check = (await scene.Sandbox.DoAsync("show", scene.Points[^1].Point)).GetProperty("point").GetProperty("cross_check");
        Assert.Equal(JsonValueKind.Null, check.GetProperty("disagreed_at").ValueKind);
        Assert.InRange(check.GetProperty("objects").GetInt64(), 1, Size / (64 << 10));
    }

    /// <summary>Writes to an object, and puts back the map of the image as it was before: it calls the object unchanged since the base, and no flag says otherwise.</summary>
    private static async Task HideAChangeAsync(Scene scene)
    {
        var map = $"rbd_object_map.{(await scene.Image.InfoAsync()).ImageId}";
        var saved = Path.Combine(scene.Sandbox.Folder, "map");
        await RadosAsync("get", map, saved);
        await scene.Image.FillAsync(5 * Mib, 5000, 3);
        await RadosAsync("put", map, saved);
    }

    private static Task<string> RadosAsync(params string[] arguments) => Tool.RunAsync("rados", ["--name", "client.admin", "--pool", "vms", .. arguments]);

    private async Task<Scene> BeginAsync(string share)
    {
        var scene = new Scene(await mini.CreateAsync(Size), $"backup.cross_check={share}");
        await scene.Image.FillAsync(0, Size, 1);
        await scene.BackupAsync();
        return scene;
    }
}
