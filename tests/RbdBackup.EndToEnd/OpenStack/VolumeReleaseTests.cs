using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>Our base snapshots never change what Cinder does.</summary>
[Trait("Needs", "OpenStack")]
public sealed class VolumeReleaseTests(Mini mini) : IClassFixture<Mini>
{
    [Theory]
    [InlineData(WorkerState.Up)]
    [InlineData(WorkerState.Late)]
    [InlineData(WorkerState.Dead)]
    public async Task A_protected_volume_is_reverted_retyped_and_deleted_as_if_we_were_not_there(WorkerState worker)
    {
        await using var world = await ReleaseWorld.StartAsync(mini);
        using var admin = await CloudActions.OfAsync("SERVICE");
        var volume = (await world.Tenant.CreateVolumeAsync()).Id;
        var image = mini.Existing(new ImageSpec("volumes", $"volume-{volume}"));
        await image.FillAsync(0, 1 << 20, seed: 1);
        await BackupAsync(world, volume);
        var snapshot = await world.Actions.SnapshotAsync(volume);
        await Tenant.UntilAsync("the snapshot is there", async () => (await world.Tenant.Cloud.BlockStorage.GetSnapshotAsync(snapshot, default)).Status == "available");
        await image.FillAsync(0, 1 << 20, seed: 2);
        await BackupAsync(world, volume);
        await world.LeaveAsync(worker);

        // To revert moves the disk below our base: what comes after is right nevertheless.
        await world.Actions.VolumeAsync(volume, "revert", new() { ["snapshot_id"] = snapshot });
        await world.Tenant.VolumeUntilAsync(volume, "available");
        Assert.Equal(TestImage.RandomBytes(1 << 20, seed: 1), await HeadAsync(image));
        await BackupAsync(world, volume, "increment");
        await world.Actions.DeleteSnapshotAsync(snapshot);
        await Tenant.UntilAsync("the snapshot is gone", () => Tenant.IsGoneAsync(() => world.Tenant.Cloud.BlockStorage.GetSnapshotAsync(snapshot, default)));
        Assert.DoesNotContain((await image.InfoAsync()).Snapshots, s => s.Name == $"snapshot-{snapshot}");
        await BackupAsync(world, volume, "increment");

        // On the same backend a retype leaves the image as it is. Who hears of it lets its base go, whenever that is; else the next point stands on it.
        var type = await admin.CreateTypeAsync($"release-{Guid.NewGuid():N}");
        var id = (await image.InfoAsync()).ImageId;
        await world.Actions.VolumeAsync(volume, "os-retype", new() { ["new_type"] = type, ["migration_policy"] = "never" });
        await Tenant.UntilAsync("the volume has its type", async () => (await world.Tenant.VolumeUntilAsync(volume, "available")).VolumeType?.StartsWith("release-", StringComparison.Ordinal) == true);
        Assert.Equal(id, (await image.InfoAsync()).ImageId);
        await world.ReturnAsync(worker);
        await Tenant.UntilAsync("our snapshots are gone", async () => worker == WorkerState.Dead || !(await image.InfoAsync()).Snapshots.Any(IsOurs));
        world.Sandbox.Ahead = TimeSpan.FromMinutes(5);
        await image.FillAsync(1 << 20, 1 << 20, seed: 3);
        await BackupAsync(world, volume, worker == WorkerState.Dead ? "increment" : "full");
        await world.LeaveAsync(worker);
        await DeleteAsync(world, volume);
        await world.ReturnAsync(worker);

        // Only now: while a volume has the type, Cinder keeps it. A failure above leaves it, and is told of itself.
        await Tenant.UntilAsync("the type is unused", async () => await Tenant.IsGoneAsync(() => world.Tenant.Cloud.BlockStorage.GetVolumeAsync(volume, default)));
        await admin.DeleteTypeAsync(type);
    }

    [Theory]
    [InlineData(WorkerState.Up)]
    [InlineData(WorkerState.Late)]
    public async Task Protected_volumes_are_deleted_at_once_and_not_put_into_the_trash(WorkerState worker)
    {
        await using var world = await ReleaseWorld.StartAsync(mini);

        // Several: who has a volume open at the wrong moment makes Cinder keep its image in the trash.
        var volumes = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            volumes.Add((await world.Tenant.CreateVolumeAsync()).Id);
            await world.Sandbox.DoAsync("backup", "volume", volumes[i]);
        }

        await world.LeaveAsync(worker);
        await Task.WhenAll([.. volumes.Select(v => DeleteAsync(world, v)), world.ReturnAsync(worker)]);
    }

    [Fact]
    public async Task No_snapshot_is_made_while_Cinder_works_on_a_volume_though_no_message_told_of_it()
    {
        await using var world = await ReleaseWorld.StartAsync(mini);
        using var admin = await CloudActions.OfAsync("SERVICE");
        var volume = (await world.Tenant.CreateVolumeAsync()).Id;
        await admin.VolumeAsync(volume, "os-reset_status", new() { ["status"] = "retyping" });
        await world.Sandbox.DoAsync("backup", "volume", volume, "--queue");
        await WorkerProcess.UntilAsync("the worker to wait", () => Task.FromResult(world.Worker.Log.Contains("(retyping)", StringComparison.Ordinal)), world.Worker);
        Assert.Empty((await world.FindAsync(new ImageSpec("volumes", $"volume-{volume}")))!.Snapshots);

        await admin.VolumeAsync(volume, "os-reset_status", new() { ["status"] = "available" });
        await WorkerProcess.HasPointsAsync(world.Sandbox, 1, world.Worker);
    }

    private async Task DeleteAsync(ReleaseWorld world, string volume)
    {
        Assert.NotEmpty((await world.FindAsync(new ImageSpec("volumes", $"volume-{volume}")))!.Snapshots);
        await world.Tenant.Cloud.BlockStorage.DeleteVolumeAsync(volume, default);
        await Tenant.UntilAsync($"volume {volume} is gone", () => Tenant.IsGoneAsync(() => world.Tenant.Cloud.BlockStorage.GetVolumeAsync(volume, default)));
        Assert.Null(await world.FindAsync(new ImageSpec("volumes", $"volume-{volume}")));
        Assert.DoesNotContain(await mini.Admin.TrashListAsync("volumes", "", default), e => e.Name == $"volume-{volume}");
    }

    private static Task BackupAsync(ReleaseWorld world, string volume, string? kind = null) =>
        world.BackupAsync(new ImageSpec("volumes", $"volume-{volume}"), kind, "volume", volume);

    private static Task<byte[]> HeadAsync(TestImage image) => image.UseAsync(async open =>
    {
        var data = new byte[1 << 20];
        await open.ReadAsync(0, data, default);
        return data;
    });

    // Of every installation's: no other has this volume.
    private static bool IsOurs(ImageSnapshot snapshot) => snapshot.Name.StartsWith("backup.", StringComparison.Ordinal);
}
