namespace RbdBackup.EndToEnd.Failure;

/// <summary>
/// A restore in place killed at each of its steps. The dead process's watch and lock last for half a minute.
/// </summary>
public abstract class KilledInPlace(Mini mini)
{
    private const int Size = 6 << 20;

    protected async Task KillAsync(string step, bool undo)
    {
        using var sandbox = new Sandbox(Killed.Settings);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 5 << 20, seed: 1);
        var wanted = await image.ReadAsync();
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
        await image.FillAsync(1 << 20, 4 << 20, seed: 2);
        await image.ZeroAsync(0, 64 << 10);
        await image.ResizeAsync(Size / 2);
        var before = await image.ReadAsync();
        await Killed.AtAsync(sandbox, step, "restore", point, "--in-place");

        // Half of each is no state to keep.
        var backup = await sandbox.RunAsync("backup", "image", image.ToString());
        Assert.True(backup.ExitCode == 4, backup.Error);

        await (undo ? Killed.AgainAsync(sandbox, "restore", "--undo", image.ToString()) : Killed.AgainAsync(sandbox, "restore", point, "--in-place"));

        Assert.Equal(undo ? before : wanted, await image.ReadAsync());
        if (!undo)
        {
            await Killed.AgainAsync(sandbox, "restore", "--undo", image.ToString());
            Assert.Equal(before, await image.ReadAsync());
        }

        var next = await sandbox.DoAsync("backup", "image", image.ToString());
        Assert.Equal(before, await sandbox.ExportFullAsync(next.GetProperty("id").GetString()!));
        Assert.Single((await image.InfoAsync()).Snapshots);
    }
}

public sealed class KilledInPlaceTests(Mini mini) : KilledInPlace(mini), IClassFixture<Mini>
{
    [Theory]
    [InlineData("in-place.journal")]
    [InlineData("in-place.snapshot")]
    [InlineData("in-place.write")]
    public Task The_same_command_finishes_it(string step) => KillAsync(step, undo: false);
}

public sealed class KilledLateInPlaceTests(Mini mini) : KilledInPlace(mini), IClassFixture<Mini>
{
    [Theory]
    [InlineData("in-place.resized")]
    [InlineData("in-place.written")]
    public Task The_same_command_finishes_it(string step) => KillAsync(step, undo: false);
}

public sealed class KilledInPlaceAndUndoneTests(Mini mini) : KilledInPlace(mini), IClassFixture<Mini>
{
    [Theory]
    [InlineData("in-place.journal")]
    [InlineData("in-place.snapshot")]
    [InlineData("in-place.write")]
    public Task It_can_be_undone(string step) => KillAsync(step, undo: true);
}
