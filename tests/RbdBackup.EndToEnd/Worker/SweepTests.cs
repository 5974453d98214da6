using System.Text.Json;
using RbdBackup.Core.Model;

namespace RbdBackup.EndToEnd.Worker;

/// <summary>What Cinder has deleted and Ceph still has, kept by our snapshots.</summary>
public sealed class SweepTests(Mini mini) : IClassFixture<Mini>
{
    private readonly string _name = $"e2e-{Guid.NewGuid():N}";

    [Fact]
    public async Task Our_snapshots_go_from_deleted_volumes_and_from_the_trash_and_nothing_else_does()
    {
        using var sandbox = new Sandbox(WorkerProcess.Settings(_name));
        await using var deleted = await VolumeAsync($"volume-{Guid.NewGuid()}.deleted");
        await using var trashed = await VolumeAsync($"volume-{Guid.NewGuid()}");
        await using var replaced = await VolumeAsync($"rbdbackup.{_name}.old");
        await using var alive = await VolumeAsync($"volume-{Guid.NewGuid()}");
        var (trashedId, replacedId) = (await ToTrashAsync(trashed), await ToTrashAsync(replaced));

        var dry = await SweepAsync(sandbox, "--dry-run");
        Assert.Equal(("released", "deleted_volume"), ActionOn(deleted.Spec, dry));
        Assert.Equal(2, (await deleted.InfoAsync()).Snapshots.Count);
        var swept = await SweepAsync(sandbox);
        Assert.Equal(("released", "deleted_volume"), ActionOn(deleted.Spec, swept));
        Assert.Equal(("released", "trash"), ActionOn(trashed.Spec, swept));
        Assert.Null(ActionOn(replaced.Spec, swept));
        Assert.Null(ActionOn(alive.Spec, swept));
        Assert.Null(ActionOn(deleted.Spec, await SweepAsync(sandbox)));

        await mini.Admin.TrashRestoreAsync("volumes", "", trashedId, trashed.Spec.Name, default);
        await mini.Admin.TrashRestoreAsync("volumes", "", replacedId, replaced.Spec.Name, default);
        Assert.Equal(["foreign"], (await deleted.InfoAsync()).Snapshots.Select(s => s.Name));
        Assert.Equal(["foreign"], (await trashed.InfoAsync()).Snapshots.Select(s => s.Name));
        Assert.Equal(2, (await replaced.InfoAsync()).Snapshots.Count);
        Assert.Equal(2, (await alive.InfoAsync()).Snapshots.Count);
    }

    private async Task<TestImage> VolumeAsync(string name)
    {
        var image = mini.Existing(new ImageSpec("volumes", name));
        await mini.Admin.CreateAsync(image.Spec, 1 << 20, Mini.SmallObjects, default);
        await image.SnapshotAsync($"backup.{_name}-{PointId.New(DateTimeOffset.UtcNow)}.snap.1700000000.00");
        await image.SnapshotAsync("foreign");
        return image;
    }

    private async Task<string> ToTrashAsync(TestImage image)
    {
        var id = (await image.InfoAsync()).ImageId;
        await mini.Admin.TrashMoveAsync(image.Spec, TimeSpan.Zero, default);
        return id;
    }

    private static async Task<JsonElement> SweepAsync(Sandbox sandbox, params string[] options)
    {
        // What other tests do meanwhile may be found too, or be gone before it was looked at.
        var result = await sandbox.RunAsync(["sweep", .. options]);
        Assert.True(result.ExitCode is 0 or (int)ErrorKind.Partial, result.Error);
        return result.Json;
    }

    private static (string? Action, string? Place)? ActionOn(ImageSpec image, JsonElement swept) =>
        swept.GetProperty("images").EnumerateArray().Where(i => i.GetProperty("image").GetString() == image.ToString())
            .Select(i => ((string?, string?)?)(i.GetProperty("action").GetString(), i.GetProperty("place").GetString())).SingleOrDefault();
}
