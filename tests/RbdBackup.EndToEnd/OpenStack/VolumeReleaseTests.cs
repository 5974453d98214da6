using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>Our base snapshots never change what Cinder does.</summary>
[Trait("Needs", "OpenStack"), Collection("Release")]
public sealed class VolumeReleaseTests(Mini mini) : IClassFixture<Mini>
{
    [Fact]
    public async Task A_protected_volume_is_reverted_retyped_and_deleted_as_if_we_were_not_there()
    {
        await using var world = await ReleaseWorld.StartAsync(mini);
        using var admin = await CloudActions.OfAsync("SERVICE");
        var volume = await world.Tenant.CreateVolumeAsync();
        var image = mini.Existing(new ImageSpec("volumes", $"volume-{volume.Id}"));
        await image.FillAsync(0, 1 << 20, seed: 1);
        await BackupAsync(world, volume.Id);
        var snapshot = await world.Actions.SnapshotAsync(volume.Id);
        await Tenant.UntilAsync("the snapshot is there", async () => (await world.Tenant.Cloud.BlockStorage.GetSnapshotAsync(snapshot, default)).Status == "available");
        var then = await image.ReadAsync();
        await image.FillAsync(0, 1 << 20, seed: 2);
        await BackupAsync(world, volume.Id);

        // To revert moves the disk below our base: what comes after is right nevertheless.
        await world.Actions.VolumeAsync(volume.Id, "revert", new() { ["snapshot_id"] = snapshot });
        await world.Tenant.VolumeUntilAsync(volume.Id, "available");
        Assert.Equal(then, await image.ReadAsync());
        var reverted = await BackupAsync(world, volume.Id);
        Assert.Equal("increment", reverted.Kind);
        Assert.Equal(then, await world.Sandbox.ExportFullAsync(reverted.Id));
        await world.Actions.DeleteSnapshotAsync(snapshot);
        await Tenant.UntilAsync("the snapshot is gone", () => Tenant.IsGoneAsync(() => world.Tenant.Cloud.BlockStorage.GetSnapshotAsync(snapshot, default)));
        Assert.DoesNotContain((await image.InfoAsync()).Snapshots, s => s.Name == $"snapshot-{snapshot}");
        Assert.Equal("increment", (await BackupAsync(world, volume.Id)).Kind);

        // On the same backend a retype leaves the image as it is.
        var type = await admin.CreateTypeAsync($"release-{Guid.NewGuid():N}");
        try
        {
            var id = (await image.InfoAsync()).ImageId;
            await world.Actions.VolumeAsync(volume.Id, "os-retype", new() { ["new_type"] = type, ["migration_policy"] = "never" });
            await Tenant.UntilAsync("the volume has its type", async () => (await world.Tenant.VolumeUntilAsync(volume.Id, "available")).VolumeType?.StartsWith("release-", StringComparison.Ordinal) == true);
            await Tenant.UntilAsync("our snapshots are gone", async () => !(await image.InfoAsync()).Snapshots.Any(s => s.Name.StartsWith("backup.", StringComparison.Ordinal)));
            Assert.Equal(id, (await image.InfoAsync()).ImageId);
            world.Sandbox.Ahead = TimeSpan.FromMinutes(5);
            await BackupAsync(world, volume.Id);
            await DeleteAsync(world, volume.Id);
        }
        finally
        {
            await Tenant.UntilAsync("the type is unused", async () => await Tenant.IsGoneAsync(() => world.Tenant.Cloud.BlockStorage.GetVolumeAsync(volume.Id, default)));
            await admin.DeleteTypeAsync(type);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_protected_volume_is_deleted_and_not_put_into_the_trash(bool workerIsUp)
    {
        await using var world = await ReleaseWorld.StartAsync(mini);
        if (!workerIsUp)
        {
            await world.StopWorkerAsync();
        }

        // Several: who has a volume open at the wrong moment makes Cinder keep its image in the trash.
        var volumes = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            volumes.Add((await world.Tenant.CreateVolumeAsync()).Id);
            await BackupAsync(world, volumes[i]);
        }

        await Task.WhenAll(volumes.Select(v => DeleteAsync(world, v)));
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

    private static async Task<(string Id, string Kind)> BackupAsync(ReleaseWorld world, string volume)
    {
        var point = await world.Sandbox.DoAsync("backup", "volume", volume);
        return (point.GetProperty("id").GetString()!, point.GetProperty("kind").GetString()!);
    }
}
