using RbdBackup.Core.Jobs;

namespace RbdBackup.EndToEnd.Failure;

/// <summary>A backup killed at each of its steps, then the same command: one right point, one snapshot, nothing else.</summary>
public sealed class KilledBackupTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 8 << 20;

    public static TheoryData<string> Steps => new(
        "backup.intent", "backup.snapshot", "backup.recorded", "backup.planned", "backup.segment", "backup.segment:2", "backup.exported", "point.indexed",
        "point.referenced", "backup.manifest", "backup.committed", "backup.released");

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task An_increment_killed_anywhere_is_finished_by_the_same_command(string step)
    {
        using var sandbox = new Sandbox(Killed.Settings);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 4 << 20, seed: 1);
        var full = await sandbox.DoAsync("backup", "image", image.ToString());
        await image.FillAsync(1 << 20, 3 << 20, seed: 2);
        await Killed.AtAsync(sandbox, step, "backup", "image", image.ToString());

        var point = await Killed.AgainAsync(sandbox, "backup", "image", image.ToString());

        var content = await image.ReadAsync();
        Assert.Equal(content, await sandbox.ExportFullAsync(point.GetProperty("id").GetString()!));
        var info = await image.InfoAsync();
        Assert.Equal(point.GetProperty("snapshot_id").GetUInt64(), Assert.Single(info.Snapshots).Id);
        var records = await Tool.BashAsync(
            "rados --name client.admin -p rbdbackup -N rbdbackup listomapkeys \"$1\"", StateKeys.Image(info));
        Assert.DoesNotContain("job.", records, StringComparison.Ordinal);
        foreach (var listed in (await sandbox.DoAsync("list")).EnumerateArray())
        {
            await sandbox.ExportFullAsync(listed.GetProperty("id").GetString()!);
        }

        Assert.Contains((await sandbox.DoAsync("list")).EnumerateArray(), p => p.GetProperty("id").GetString() == full.GetProperty("id").GetString());
    }

    [Fact]
    public async Task A_job_that_goes_on_keeps_its_point_and_the_segments_that_are_there()
    {
        using var sandbox = new Sandbox(Killed.Settings);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 6 << 20, seed: 3);
        await Killed.AtAsync(sandbox, "backup.segment:3", "backup", "image", image.ToString());
        var point = Path.GetFileName(Assert.Single(Directory.GetDirectories(Path.Combine(sandbox.StoreFolder, "data"))));
        var there = Directory.GetFiles(Path.Combine(sandbox.StoreFolder, "data", point), "0*").Length;

        var done = await Killed.AgainAsync(sandbox, "backup", "image", image.ToString());

        Assert.Equal(point, done.GetProperty("id").GetString());
        Assert.True(there >= 2, "segments were there when it was killed");
        Assert.Equal(done.GetProperty("segments").GetInt32(), Directory.GetFiles(Path.Combine(sandbox.StoreFolder, "data", point), "0*").Length);
        Assert.Equal(await image.ReadAsync(), await sandbox.ExportFullAsync(point));
    }
}
