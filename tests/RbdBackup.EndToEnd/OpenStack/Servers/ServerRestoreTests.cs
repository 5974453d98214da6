using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Failure;
using RbdBackup.OpenStack.BlockStorage;

namespace RbdBackup.EndToEnd.OpenStack.Servers;

/// <summary>Server points that are put back onto their server, and made into new ones.</summary>
[Trait("Needs", "OpenStack")]
[Collection(ServerScene.Shared)]
public sealed class ServerRestoreTests(ServerScene scene)
{
    [Fact]
    public async Task The_root_disk_is_put_back_while_the_volume_stays_and_a_killed_restore_goes_on()
    {
        using var sandbox = ServerScene.Sandbox();
        await ServerScene.ReleaseAsync(scene.RootImage, scene.VolumeImage);
        await scene.Guest.RunAsync("echo then >/mnt/vda/file; echo then >/mnt/vdb/file; sync");
        var point = await sandbox.DoAsync("backup", "server", scene.Server.Id, "--consistency", "frozen");
        await scene.Guest.RunAsync("echo now >/mnt/vda/file; echo now >/mnt/vdb/file; sync");
        string[] restore = ["restore", point.GetProperty("id").GetString()!, "--to-server", scene.Server.Id];

        await Killed.AtAsync(sandbox, "server.stopped", restore);
        var left = await scene.Tenant.Cloud.Compute.GetServerAsync(scene.Server.Id, default);
        Assert.Equal(("SHUTOFF", true), (left.Status, left.Locked));
        Assert.Contains("rbdbackup", left.LockedReason, StringComparison.Ordinal);
        var result = await Killed.AgainAsync(sandbox, restore);

        var server = await scene.Tenant.Cloud.Compute.GetServerAsync(scene.Server.Id, default);
        Assert.Equal(("ACTIVE", false), (server.Status, server.Locked));
        await ServerScene.UpAsync(scene.Guest);
        await scene.CountAsync();
        Assert.Equal("then\nnow\n", await scene.Guest.RunAsync("cat /mnt/vda/file /mnt/vdb/file"));
        await Tool.RbdAsync("trash", "rm", "--no-progress", "--force", $"vms/{result.GetProperty("replaced_image_id").GetString()}");

        // The next point of it goes on from what was restored.
        var next = ServerScene.Points(await sandbox.DoAsync("backup", "server", scene.Server.Id)).Root;
        Assert.Equal("increment", (await sandbox.DoAsync("list", scene.RootImage.ToString())).EnumerateArray().Single(p => p.GetProperty("id").GetString() == next).GetProperty("kind").GetString());
    }

    [Fact]
    public async Task A_new_server_boots_with_the_guests_files_and_a_killed_one_leaves_nothing()
    {
        using var sandbox = ServerScene.Sandbox();
        await using var service = Tenant.Service();
        await ServerScene.ReleaseAsync(scene.RootImage, scene.VolumeImage);
        await scene.Guest.RunAsync("echo root >/mnt/vda/new; echo volume >/mnt/vdb/new; sync");
        var point = await sandbox.DoAsync("backup", "server", scene.Server.Id, "--consistency", "frozen");
        var name = $"{scene.Name}-new";
        string[] restore = ["restore", point.GetProperty("id").GetString()!, "--to-new-server", name, "--project", Mini.Setting("RBDBACKUP_TEST_SERVICE_PROJECT")];

        Assert.Equal(2, (await sandbox.RunAsync([.. restore, "--flavor", "none-such"])).ExitCode);
        await Killed.AtAsync(sandbox, "newserver.disk", restore);
        var half = Assert.Single(await ServerScene.ServersAsync(service, name));
        var made = await Killed.AgainAsync(sandbox, restore);
        var id = made.GetProperty("server").GetString()!;
        var volume = Assert.Single(made.GetProperty("volumes").EnumerateArray()).GetString()!;
        service.Own(server: id, volume: volume);
        try
        {
            Assert.Equal(id, Assert.Single(await ServerScene.ServersAsync(service, name)));
            Assert.Empty(await ServerScene.ImagesAsync(half));
            Assert.Equal(volume, Assert.Single(await VolumesAsync(service, scene.VolumeName)).Id);

            var server = await service.UntilAsync(id, "ACTIVE");
            Assert.Equal([KeyValuePair.Create("owner", "servers")], server.Metadata!);
            Assert.Equal(scene.Server.ImageId, server.ImageId);
            Assert.Empty((await service.Cloud.BlockStorage.GetVolumeAsync(volume, default)).Metadata);
            var guest = new Guest(id);
            await ServerScene.UpAsync(guest);
            Assert.Equal("root\nvolume\n", await guest.RunAsync("cat /mnt/vda/new /mnt/vdb/new"));
            var counters = (await guest.RunAsync("cat /mnt/vda/counter; echo; cat /mnt/vdb/counter")).Split('\n').Select(long.Parse).ToList();
            Assert.InRange(counters[0] - counters[1], 0, 1);
        }
        finally
        {
            await ServerScene.ReleaseAsync(new ImageSpec("vms", $"{id}_disk"), new ImageSpec("volumes", $"volume-{volume}"));
        }
    }

    private static async Task<IReadOnlyList<Volume>> VolumesAsync(Tenant tenant, string name) =>
        [.. (await tenant.Cloud.BlockStorage.ListVolumesAsync(new VolumeFilter(), default).ToListAsync()).Where(v => v.Name == name)];
}
