namespace RbdBackup.EndToEnd.Failure;

/// <summary>Ctrl-C and SIGTERM in the middle: exit code 130, and nothing left behind but what the next run uses.</summary>
public sealed class InterruptedTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 8 << 20;

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task A_backup_that_is_stopped_leaves_what_the_next_run_uses(string signal)
    {
        using var sandbox = new Sandbox([.. Killed.Settings, "backup.throttle=1MiB/s", "backup.reads_in_flight=1"]);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, Size, seed: 1);
        using var process = sandbox.Start("backup", "image", image.ToString());
        var data = Path.Combine(sandbox.StoreFolder, "data");
        await WaitForAsync(() => Directory.Exists(data) && Directory.EnumerateFiles(data, "0*", SearchOption.AllDirectories).Any());
        await Tool.RunAsync("kill", $"-{signal}", $"{process.Id}");
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.Equal(130, process.ExitCode);
        Assert.Contains("\"kind\":\"interrupted\"", error, StringComparison.Ordinal);
        var begun = Path.GetFileName(Assert.Single(Directory.GetDirectories(data)));
        Assert.Empty((await sandbox.DoAsync("list")).EnumerateArray());
        Assert.Single((await image.InfoAsync()).Snapshots);

        // Its lease was given back: the next run need not wait for it to lapse.
        using var again = new Sandbox(Killed.Settings);
        Directory.Delete(again.StoreFolder);
        Directory.Move(sandbox.StoreFolder, again.StoreFolder);
        var point = await again.DoAsync("backup", "image", image.ToString());
        Assert.Equal(begun, point.GetProperty("id").GetString());
        Assert.Equal(await image.ReadAsync(), await again.ExportFullAsync(begun));
        Directory.CreateDirectory(sandbox.StoreFolder);
    }

    [Fact]
    public async Task A_restore_that_is_stopped_changes_nothing_and_is_finished_by_the_same_command()
    {
        using var sandbox = new Sandbox([.. Killed.Settings, "restore.writes_in_flight=1"]);

        // In a namespace of its own: other tests restore, too.
        var ns = Mini.NewName();
        await Tool.RbdAsync("namespace", "create", $"vms/{ns}");
        await using (var image = await mini.CreateAsync(64 << 20, @namespace: ns))
        {
            await StopRestoreAsync(sandbox, image);
        }

        await Tool.RbdAsync("namespace", "remove", $"vms/{ns}");
    }

    [Fact]
    public async Task A_verification_by_restoring_that_is_stopped_takes_its_scratch_image_with_it()
    {
        using var sandbox = new Sandbox([.. Killed.Settings, "backup.throttle=2MiB/s"]);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, Size / 2, seed: 1);
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;

        // In a namespace of its own: other tests have scratch images, too.
        var ns = $"vms/{Mini.NewName()}";
        await Tool.RbdAsync("namespace", "create", ns);
        using var process = sandbox.Start("verify", point, "--restore", "--scratch", ns);

        // The comparison is held back, so that it is under way for some seconds.
        await WaitForAsync(() => Tool.RbdAsync("ls", ns).GetAwaiter().GetResult().Contains(".verify", StringComparison.Ordinal));
        await Tool.RunAsync("kill", "-TERM", $"{process.Id}");
        await process.WaitForExitAsync();
        Assert.Equal(130, process.ExitCode);
        Assert.Equal("", await Tool.RbdAsync("ls", ns));
        await Tool.RbdAsync("namespace", "remove", ns);
        Assert.Empty(Directory.EnumerateFiles(sandbox.StoreFolder, "*.restore.*", SearchOption.AllDirectories));
    }

    private static async Task StopRestoreAsync(Sandbox sandbox, TestImage image)
    {
        for (var at = 0; at < 64; at += 8)
        {
            await image.FillAsync(at << 20, 8 << 20, seed: at);
        }

        var content = await image.ReadAsync();
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
        var before = (await image.InfoAsync()).ImageId;
        using var process = sandbox.Start("restore", point, "--replace");
        await WaitForAsync(() => Tool.RbdAsync("ls", $"vms/{image.Spec.Namespace}").GetAwaiter().GetResult().Contains(".new", StringComparison.Ordinal));
        await Tool.RunAsync("kill", "-INT", $"{process.Id}");
        await process.WaitForExitAsync();
        Assert.Equal(130, process.ExitCode);
        Assert.Equal(before, (await image.InfoAsync()).ImageId);

        var done = await Killed.AgainAsync(sandbox, "restore", point, "--replace");
        image.Replaced.Add(done.GetProperty("replaced_image_id").GetString()!);
        Assert.Equal(content, await image.ReadAsync());
    }

    private static async Task WaitForAsync(Func<bool> holds)
    {
        for (var tries = 600; !holds(); tries--)
        {
            Assert.True(tries > 0, "waited in vain");
            await Task.Delay(50);
        }
    }
}
