namespace RbdBackup.EndToEnd.Failure;

/// <summary>An image's points of two weeks, made by the command with its clock set back: four cycles, two of them too many.</summary>
public sealed class OldPoints : IAsyncLifetime
{
    private static readonly int[] DaysAgo = [14, 13, 12, 9, 8, 4, 3, 0];
    private readonly Mini _mini = new();
    private TestImage? _image;

    public Sandbox Sandbox { get; } = new();

    /// <summary>What the image held at each point that rotation keeps, oldest first.</summary>
    public Dictionary<string, byte[]> Kept { get; } = [];

    public async Task InitializeAsync()
    {
        await _mini.InitializeAsync();
        _image = await _mini.CreateAsync(1 << 20);
        foreach (var days in DaysAgo)
        {
            await _image.FillAsync(days * 64 << 10, 96 << 10, seed: days);
            Sandbox.Ahead = -TimeSpan.FromDays(days);
            var point = await Sandbox.DoAsync("backup", "image", _image.ToString());
            if (days <= 4)
            {
                Kept[point.GetProperty("id").GetString()!] = await _image.ReadAsync();
            }
        }

        Sandbox.Ahead = TimeSpan.Zero;
    }

    public async Task DisposeAsync()
    {
        Sandbox.Dispose();
        await _image!.DisposeAsync();
        await _mini.DisposeAsync();
    }
}

/// <summary>Rotation and collection killed at their steps, as processes, then the same command: what is kept restores, what is not is gone.</summary>
public sealed class KilledRotationTests(OldPoints old) : IClassFixture<OldPoints>
{
    [Theory]
    [InlineData("prune.voided")]
    [InlineData("prune.voided:2")]
    [InlineData("prune.voided:5")]
    [InlineData("prune.removed")]
    [InlineData("prune.removed:3")]
    [InlineData("prune.removed:5")]
    public async Task A_killed_rotation_is_finished_by_the_same_command(string step)
    {
        using var sandbox = await CopyAsync();
        await Killed.AtAsync(sandbox, step, "rotate");
        await AssertListedPointsRestoreAsync(sandbox);

        await Killed.AgainAsync(sandbox, "rotate");

        Assert.Equal(old.Kept.Keys.Order(), (await ListAsync(sandbox)).Order());
        await AssertListedPointsRestoreAsync(sandbox);
    }

    [Theory]
    [InlineData("gc.listed")]
    [InlineData("gc.deleted")]
    [InlineData("gc.deleted:2")]
    [InlineData("gc.deleted:7")]
    [InlineData("gc.deleted:12")]
    [InlineData("gc.deleted:20")]
    public async Task A_killed_collection_is_finished_by_the_same_command(string step)
    {
        using var sandbox = await CopyAsync();
        await sandbox.DoAsync("rotate");
        if (step != "gc.listed")
        {
            sandbox.Ahead = -TimeSpan.FromHours(40);
            await sandbox.DoAsync("gc");
        }

        await Killed.AtAsync(sandbox, step, "gc");
        await AssertListedPointsRestoreAsync(sandbox);

        // Once for what was written down before, and, with the grace over, once more for what the killed run wrote down.
        sandbox.Ahead = TimeSpan.Zero;
        await Killed.AgainAsync(sandbox, "gc");
        sandbox.Ahead = TimeSpan.FromHours(40);
        await sandbox.DoAsync("gc");
        Assert.Equal(old.Kept.Keys.Order(), Directory.GetDirectories(Path.Combine(sandbox.StoreFolder, "data")).Select(d => Path.GetFileName(d)!).Order());
        await AssertListedPointsRestoreAsync(sandbox);
    }

    private async Task<Sandbox> CopyAsync()
    {
        var sandbox = new Sandbox(Killed.Settings);
        await Tool.RunAsync("cp", "-a", $"{old.Sandbox.StoreFolder}/.", sandbox.StoreFolder);
        return sandbox;
    }

    private static async Task<IReadOnlyList<string>> ListAsync(Sandbox sandbox) =>
        [.. (await sandbox.DoAsync("list")).EnumerateArray().Select(p => p.GetProperty("id").GetString()!)];

    /// <summary>At no moment is a point listed that can't be restored, nor one of those gone that are kept.</summary>
    private async Task AssertListedPointsRestoreAsync(Sandbox sandbox)
    {
        var listed = await ListAsync(sandbox);
        Assert.Empty(old.Kept.Keys.Except(listed));
        foreach (var point in listed)
        {
            var content = await sandbox.ExportFullAsync(point);
            Assert.True(!old.Kept.TryGetValue(point, out var expected) || expected.AsSpan().SequenceEqual(content), $"{point} is not what it was");
        }
    }
}
