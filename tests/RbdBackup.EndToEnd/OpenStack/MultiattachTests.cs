using RbdBackup.EndToEnd.Failure;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>A volume that two servers have.</summary>
[Trait("Needs", "OpenStack")]
public sealed class MultiattachTests(Mini mini) : IClassFixture<Mini>
{
    [Fact]
    public async Task Both_servers_are_stopped_and_each_gets_its_state_back_also_after_a_kill()
    {
        var name = $"forms-{Guid.NewGuid():N}";
        using var admin = await CloudActions.OfAsync("SERVICE");
        var type = await admin.CreateTypeAsync(name, ("multiattach", "<is> True"));
        try
        {
            await using var scene = await VolumeScene.BeginAsync(mini, Killed.Settings);
            await RestoreAsync(scene, name);
        }
        finally
        {
            await admin.DeleteTypeAsync(type);
        }
    }

    private async Task RestoreAsync(VolumeScene scene, string name)
    {
        var volume = (await scene.Tenant.CreateVolumeAsync(type: name)).Id;
        Assert.True((await scene.Service.Cloud.BlockStorage.GetVolumeAsync(volume, default)).Multiattach);
        await scene.FillAsync(volume, 0, 3 << 20, seed: 1);
        var features = (await mini.Admin.FindAsync(VolumeScene.Image(volume), default))!.Layout.Features;
        var (content, point) = (await scene.ReadAsync(volume), await scene.BackupAsync(volume));
        await scene.FillAsync(volume, 1 << 20, 3 << 20, seed: 2);
        var runs = await scene.Tenant.BootAsync(name: name);
        var isOff = await scene.Tenant.BootAsync(name: name);
        await scene.Tenant.Cloud.Compute.StopAsync(isOff.Id, default);
        await scene.Tenant.UntilAsync(isOff.Id, "SHUTOFF");
        foreach (var server in (string[])[runs.Id, isOff.Id])
        {
            await scene.Tenant.Cloud.Compute.AttachVolumeAsync(server, volume, null, false, null, default);
            await Tenant.UntilAsync($"{server} has the volume", async () => await scene.Service.Cloud.BlockStorage.ListAttachmentsAsync(volume, default)
                .AnyAsync(a => a.ServerId == server && a.Status == "attached"));
        }

        await scene.Service.Cloud.Compute.LockAsync(isOff.Id, "by somebody", default);
        string[] restore = ["restore", point, "--to-volume", volume, "--stop-server"];
        try
        {
            await Killed.AtAsync(scene.Sandbox, "restore.aside", restore);
            foreach (var server in (string[])[runs.Id, isOff.Id])
            {
                var held = await scene.Service.UntilAsync(server, "SHUTOFF");
                Assert.True(held.Locked);
            }

            await Killed.AgainAsync(scene.Sandbox, restore);

            Assert.Equal(content, await scene.ReadAsync(volume));
            Assert.Equal(features, (await mini.Admin.FindAsync(VolumeScene.Image(volume), default))!.Layout.Features);
            var (first, second) = (await scene.Service.UntilAsync(runs.Id, "ACTIVE"), await scene.Service.UntilAsync(isOff.Id, "SHUTOFF"));
            Assert.Equal((false, true, "by somebody"), (first.Locked, second.Locked, second.LockedReason));
            await scene.IsCleanAsync(volume, "in-use");
            Assert.Equal(2, await scene.Service.Cloud.BlockStorage.ListAttachmentsAsync(volume, default).CountAsync());
        }
        finally
        {
            await scene.Service.Cloud.Compute.UnlockAsync(isOff.Id, default);
        }
    }
}
