namespace RbdBackup.EndToEnd.Difference;

/// <summary>A restore into the image that is there.</summary>
public sealed class InPlaceTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 9 * Mib;

    [Fact]
    public async Task What_differs_is_written_and_the_image_and_its_snapshots_stay()
    {
        using var sandbox = new Sandbox();
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 5 * Mib, seed: 1);
        var (content, point) = (await image.ReadAsync(), await BackupAsync(sandbox, image));
        await image.FillAsync(Mib, 10_000, seed: 2);
        await image.ZeroAsync(3 * Mib, 100_000);
        await image.FillAsync(7 * Mib, 5_000, seed: 3);
        var (id, others, before) = ((await image.InfoAsync()).ImageId, await image.SnapshotAsync("cinders"), await image.ReadAsync());

        var result = await sandbox.DoAsync("restore", point, "--in-place");

        Assert.Equal(content, await image.ReadAsync());
        Assert.Equal(id, (await image.InfoAsync()).ImageId);
        Assert.Equal(before, await image.ReadAsync(others));
        Assert.InRange(result.GetProperty("written_bytes").GetInt64(), 115_000, 140_000);
        Assert.Contains((await image.InfoAsync()).Snapshots, s => s.Name == result.GetProperty("snapshot").GetString());

        // The safety snapshot goes with the next backup, which is an increment, and right.
        await image.FillAsync(2 * Mib, 5_000, seed: 4);
        var next = await sandbox.DoAsync("backup", "image", image.ToString());
        Assert.Equal("increment", next.GetProperty("kind").GetString());
        Assert.Equal(await image.ReadAsync(), await sandbox.ExportFullAsync(next.GetProperty("id").GetString()!));
        Assert.DoesNotContain((await image.InfoAsync()).Snapshots, s => s.Name == result.GetProperty("snapshot").GetString());
        Assert.Equal(10, (await sandbox.RunAsync("restore", "--undo", image.ToString())).ExitCode);
    }

    [Theory]
    [InlineData(4 * Mib)]
    [InlineData(13 * Mib)]
    public async Task The_size_is_the_point_s_and_undo_brings_back_both(int otherSize)
    {
        using var sandbox = new Sandbox();
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(2 * Mib, 6 * Mib, seed: 1);
        var (content, point) = (await image.ReadAsync(), await BackupAsync(sandbox, image));
        await image.ResizeAsync(otherSize);
        await image.FillAsync(otherSize - Mib, Mib, seed: 2);
        var before = await image.ReadAsync();

        await sandbox.DoAsync("restore", point, "--in-place");
        Assert.Equal(content, await image.ReadAsync());
        await sandbox.DoAsync("restore", "--undo", image.ToString());
        Assert.Equal(before, await image.ReadAsync());

        var next = await sandbox.DoAsync("backup", "image", image.ToString());
        Assert.Equal(before, await sandbox.ExportFullAsync(next.GetProperty("id").GetString()!));
        Assert.Equal(3, (await sandbox.RunAsync("restore", "--undo", image.ToString())).ExitCode);
    }

    [Fact]
    public async Task An_image_that_a_guest_has_open_is_refused_untouched()
    {
        using var sandbox = new Sandbox();
        await using var image = await mini.CreateAsync(Size);
        var point = await BackupAsync(sandbox, image);
        await image.FillAsync(0, Mib, seed: 2);
        var content = await image.ReadAsync();
        await image.UseAsync(async guest =>
        {
            await guest.WriteAsync(0, content.AsMemory(0, 4096), default);
            var refused = await sandbox.RunAsync("restore", point, "--in-place");
            Assert.True(refused.ExitCode == 4, refused.Error);
        });
        Assert.Equal(content, await image.ReadAsync());
        Assert.Single((await image.InfoAsync()).Snapshots);
    }

    [Fact]
    public async Task A_clone_s_parent_shows_through_and_is_written_over()
    {
        using var sandbox = new Sandbox();
        await using var parent = await mini.CreateAsync(Size);
        await parent.FillAsync(0, 3 * Mib, seed: 1);
        await parent.SnapshotAsync("image");
        await using var clone = mini.Target();
        await Tool.RbdAsync("clone", "--rbd-default-clone-format", "2", $"{parent}@image", clone.ToString());
        var (content, point) = (await clone.ReadAsync(), await BackupAsync(sandbox, clone));
        await clone.FillAsync(Mib, 50_000, seed: 2);
        await clone.ZeroAsync(2 * Mib, 50_000);
        await sandbox.DoAsync("restore", point, "--in-place");
        Assert.Equal(content, await clone.ReadAsync());
    }

    [Fact]
    public async Task A_rollback_whose_snapshot_is_gone_is_done_in_place()
    {
        using var sandbox = new Sandbox();
        await using var image = await mini.CreateAsync(Size);
        await using var other = await mini.CreateAsync(Size);
        await image.FillAsync(0, Mib, seed: 1);
        var (content, point) = (await image.ReadAsync(), await BackupAsync(sandbox, image));
        await image.FillAsync(4 * Mib, 5_000, seed: 2);
        await BackupAsync(sandbox, image);

        var result = await sandbox.DoAsync("rollback", image.ToString(), "--to", point);

        Assert.True(result.GetProperty("in_place").GetBoolean());
        Assert.Equal(content, await image.ReadAsync());
        Assert.Equal(3, (await sandbox.RunAsync("rollback", other.ToString(), "--to", point)).ExitCode);
    }

    private static async Task<string> BackupAsync(Sandbox sandbox, TestImage image) =>
        (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
}
