namespace RbdBackup.EndToEnd.Failure;

/// <summary>
/// A restore killed at each of its steps, then the same command: the image under its name, the old one in the trash, nothing on the side. The dead process's
/// watch lasts for half a minute, so the steps are spread over classes, which run at the same time.
/// </summary>
public abstract class KilledRestore(Mini mini)
{
    private const int Size = 4 << 20;

    protected async Task ReplaceAsync(string step)
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
}

public sealed class KilledWhileMakingTests(Mini mini) : KilledRestore(mini), IClassFixture<Mini>
{
    [Theory]
    [InlineData("restore.journal")]
    [InlineData("restore.made")]
    [InlineData("restore.write")]
    [InlineData("restore.write:5")]
    public Task The_same_command_finishes_it(string step) => ReplaceAsync(step);
}

public sealed class KilledWhileProvingTests(Mini mini) : KilledRestore(mini), IClassFixture<Mini>
{
    [Theory]
    [InlineData("restore.verified")]
    [InlineData("restore.snapshot")]
    [InlineData("restore.bound")]
    [InlineData("restore.filled")]
    public Task The_same_command_finishes_it(string step) => ReplaceAsync(step);
}

public sealed class KilledWhileSwappingTests(Mini mini) : KilledRestore(mini), IClassFixture<Mini>
{
    [Theory]
    [InlineData("restore.aside")]
    [InlineData("restore.in")]
    [InlineData("restore.trashed")]
    public Task The_same_command_finishes_it(string step) => ReplaceAsync(step);
}

public sealed class KilledAndUndoneTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 4 << 20;

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
}

public sealed class KilledToNewNameTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 4 << 20;

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
