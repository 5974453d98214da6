namespace RbdBackup.EndToEnd.Failure;

/// <summary>A restore killed at each of its steps, then the same command: the image under its name, the old one in the trash, nothing on the side.</summary>
public sealed class KilledRestoreTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 4 << 20;

    public static TheoryData<string> Steps => new(
        "restore.journal", "restore.made", "restore.write", "restore.write:5", "restore.verified", "restore.snapshot", "restore.bound", "restore.filled",
        "restore.aside", "restore.in", "restore.trashed");

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_replacing_restore_killed_anywhere_is_finished_by_the_same_command(string step)
    {
        using var sandbox = new Sandbox(Killed.Settings);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 2 << 20, seed: 1);
        var content = await image.ReadAsync();
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
        await image.FillAsync(1 << 20, 2 << 20, seed: 2);
        var old = (await image.InfoAsync()).ImageId;
        await Killed.AtAsync(sandbox, step, "restore", point, "--replace");

        var result = await Killed.AgainAsync(sandbox, "restore", point, "--replace");

        Assert.Equal(content, await image.ReadAsync());
        Assert.Equal(old, result.GetProperty("replaced_image_id").GetString());
        Assert.Contains(await mini.Admin.TrashListAsync("vms", "", default), t => t.ImageId == old);
        await image.FillAsync(0, 4096, seed: 3);
        var next = await sandbox.DoAsync("backup", "image", image.ToString());
        Assert.Equal("increment", next.GetProperty("kind").GetString());
        Assert.Equal(await image.ReadAsync(), await sandbox.ExportFullAsync(next.GetProperty("id").GetString()!));
    }

    [Theory]
    [InlineData("restore.made")]
    [InlineData("restore.write:5")]
    [InlineData("restore.aside")]
    [InlineData("restore.in")]
    public async Task A_restore_killed_anywhere_can_be_undone(string step)
    {
        using var sandbox = new Sandbox(Killed.Settings);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 2 << 20, seed: 1);
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
        await image.FillAsync(1 << 20, 2 << 20, seed: 2);
        var (content, old) = (await image.ReadAsync(), (await image.InfoAsync()).ImageId);
        await Killed.AtAsync(sandbox, step, "restore", point, "--replace");

        await Killed.AgainAsync(sandbox, "restore", "--undo", image.ToString());

        Assert.Equal(old, (await image.InfoAsync()).ImageId);
        Assert.Equal(content, await image.ReadAsync());
    }

    [Theory]
    [InlineData("restore.made")]
    [InlineData("restore.write:5")]
    [InlineData("restore.filled")]
    public async Task A_restore_to_a_new_name_killed_anywhere_is_finished_by_the_same_command(string step)
    {
        using var sandbox = new Sandbox(Killed.Settings);
        await using var image = await mini.CreateAsync(Size);
        await using var target = mini.Target();
        await image.FillAsync(0, 2 << 20, seed: 1);
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
        await Killed.AtAsync(sandbox, step, "restore", point, "--to", target.ToString());

        await Killed.AgainAsync(sandbox, "restore", point, "--to", target.ToString());

        Assert.Equal(await image.ReadAsync(), await target.ReadAsync());
    }
}
