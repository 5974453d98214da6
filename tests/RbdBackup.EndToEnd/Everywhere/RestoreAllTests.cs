using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Failure;

namespace RbdBackup.EndToEnd.Everywhere;

/// <summary>The day when the cluster is gone: every image comes back under its old name.</summary>
public sealed class RestoreAllTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 1 << 20;

    [Fact]
    public async Task All_images_that_are_missing_come_back_as_at_a_time_also_after_a_kill()
    {
        using var sandbox = new Sandbox(Killed.Settings);
        var (images, contents) = (new List<TestImage>(), new Dictionary<string, byte[]>());
        for (var n = 0; n < 5; n++)
        {
            images.Add(await mini.CreateAsync(Size));
            await images[n].FillAsync(n << 16, 100_000, n + 1);
            await sandbox.DoAsync("backup", "image", images[n].ToString());
            contents[images[n].ToString()] = await images[n].ReadAsync();
        }

        var moment = DateTimeOffset.UtcNow.ToString("O");
        await Task.Delay(5);
        await images[0].FillAsync(0, Size, 99);
        await sandbox.DoAsync("backup", "image", images[0].ToString());
        foreach (var image in images.Take(4))
        {
            await Tool.RbdAsync("snap", "purge", image.ToString());
            await Tool.RbdAsync("rm", image.ToString());
        }

        string[] restore = ["restore", "--all", "--at", moment, "--priority", $"image:{images[2]}", "--at-a-time", "2"];
        Assert.Equal(["to_restore", "to_restore", "to_restore", "to_restore", "exists"], (await sandbox.DoAsync([.. restore, "--dry-run"])).EnumerateArray().Select(State).OrderDescending());
        await Killed.AtAsync(sandbox, "restore.in:2", restore);
        Assert.Contains(images[2].Spec.Name, await mini.Admin.ListImagesAsync("vms", "", default));
        var rest = (await sandbox.DoAsync(restore)).EnumerateArray().ToList();
        Assert.InRange(rest.Count(r => State(r) == "exists"), 3, 4);

        foreach (var image in images)
        {
            Assert.Equal(contents[image.ToString()], await image.ReadAsync());
        }

        Assert.All((await sandbox.DoAsync(restore)).EnumerateArray(), r => Assert.Equal("exists", State(r)));
        Assert.DoesNotContain(await mini.Admin.ListImagesAsync("vms", "", default), i => i.EndsWith(".new", StringComparison.Ordinal) && images.Any(m => i.Contains(m.Spec.Name, StringComparison.Ordinal)));
        Assert.Equal("increment", (await sandbox.DoAsync("backup", "image", images[1].ToString())).GetProperty("kind").GetString());
        foreach (var image in images)
        {
            await image.DisposeAsync();
        }
    }

    [Fact]
    public async Task One_that_can_not_be_restored_does_not_hold_the_others_up()
    {
        using var sandbox = new Sandbox();
        await using var good = await mini.CreateAsync(Size);
        await using var bad = await mini.CreateAsync(Size);
        foreach (var image in new[] { good, bad })
        {
            await image.FillAsync(0, Size, 5);
            await sandbox.DoAsync("backup", "image", image.ToString());
        }

        var content = await good.ReadAsync();
        var point = (await sandbox.DoAsync("list", bad.ToString()))[0].GetProperty("id").GetString()!;
        foreach (var segment in Directory.GetFiles(Path.Combine(sandbox.StoreFolder, "data", point), "0*"))
        {
            File.Delete(segment);
        }

        foreach (var image in new[] { good, bad })
        {
            await Tool.RbdAsync("snap", "purge", image.ToString());
            await Tool.RbdAsync("rm", image.ToString());
        }

        var result = await sandbox.RunAsync("restore", "--all", "--priority", $"image:{bad}");
        Assert.Equal((int)ErrorKind.Partial, result.ExitCode);
        Assert.Equal(["failed", "restored"], result.Json.EnumerateArray().Select(State));
        Assert.Contains(bad.ToString(), result.Error, StringComparison.Ordinal);
        Assert.Equal(content, await good.ReadAsync());
    }

    private static string State(JsonElement item) => item.GetProperty("state").GetString()!;
}
