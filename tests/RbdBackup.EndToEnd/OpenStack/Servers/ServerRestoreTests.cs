using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Failure;
using RbdBackup.EndToEnd.Worker;
using RbdBackup.OpenStack.BlockStorage;

namespace RbdBackup.EndToEnd.OpenStack.Servers;

/// <summary>Server points that are put back onto their server, and made into new ones.</summary>
[Trait("Needs", "OpenStack")]
[Collection(ServerScene.Shared)]
public sealed class ServerRestoreTests(ServerScene scene)
{
    private readonly string _name = $"e2e-{Guid.NewGuid():N}";

    [Fact]
    public async Task The_root_disk_is_put_back_while_the_volume_stays_and_a_killed_restore_goes_on()
    {
        await using var events = await EventQueue.OpenAsync(_name);
        using var sandbox = ServerScene.Sandbox(events.Settings);
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
        await scene.Guest.UpAsync(disks: 2);
        await scene.CountAsync();
        Assert.Equal("then\nnow\n", await scene.Guest.RunAsync("cat /mnt/vda/file /mnt/vdb/file"));
        await Tool.RbdAsync("trash", "rm", "--no-progress", "--force", $"vms/{result.GetProperty("replaced_image_id").GetString()}");

        // The next point of it goes on from what was restored.
        var next = ServerScene.Points(await sandbox.DoAsync("backup", "server", scene.Server.Id)).Root;
        Assert.Equal("increment", (await sandbox.DoAsync("list", scene.RootImage.ToString())).EnumerateArray().Single(p => p.GetProperty("id").GetString() == next).GetProperty("kind").GetString());
        await IsToldAsync(events, sandbox, point, result);
    }

    [Fact]
    public async Task A_new_server_boots_with_the_guests_files_and_a_killed_one_leaves_nothing()
    {
        await using var events = await EventQueue.OpenAsync(_name);
        using var sandbox = ServerScene.Sandbox(events.Settings);
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
            await guest.UpAsync(disks: 2);
            Assert.Equal("root\nvolume\n", await guest.RunAsync("cat /mnt/vda/new /mnt/vdb/new"));
            var counters = (await guest.RunAsync("cat /mnt/vda/counter; echo; cat /mnt/vdb/counter")).Split('\n').Select(long.Parse).ToList();
            Assert.InRange(counters[0] - counters[1], 0, 1);

            // The one that was refused, the one that was killed, and each that found the dead one's lease, then the one that made it.
            var told = await RestoresAsync(events, "server_point");
            var serverPoint = Text(point, "id");
            Assert.Equal([$"restore.start {serverPoint}", $"restore.error {serverPoint}"], told.Take(2));
            Assert.All(told.Skip(2).SkipLast(1), e => Assert.Equal($"restore.start {serverPoint}", e));
            Assert.Equal($"restore.end {serverPoint}", told[^1]);
            var payload = (await events.AllAsync())[^1]["payload"]!;
            Assert.Equal((id, point.GetProperty("disks").EnumerateArray().Sum(d => d.GetProperty("size").GetInt64())), ((string?)payload["server_id"], (long?)payload["size"]));
        }
        finally
        {
            await ServerScene.ReleaseAsync(new ImageSpec("vms", $"{id}_disk"), new ImageSpec("volumes", $"volume-{volume}"));
        }
    }

    /// <summary>Each server point told of a pair; the restore that was killed, and each that found its lease, of a start, then the last of a pair; one onto no server of its failure.</summary>
    private async Task IsToldAsync(EventQueue events, Sandbox sandbox, JsonElement point, JsonElement restored)
    {
        var none = Guid.NewGuid().ToString();
        Assert.Equal((int)ErrorKind.NotFound, (await sandbox.RunAsync("restore", Text(point, "id"), "--to-server", none)).ExitCode);
        var told = await events.TypesAsync(8, "server_id");
        var server = scene.Server.Id;
        string[] backup = [$"backup.start {server}", $"backup.end {server}"];
        Assert.Equal(backup, told.Take(2));
        Assert.Equal([$"restore.end {server}", .. backup, $"restore.start {none}", $"restore.error {none}"], told.TakeLast(5));
        Assert.All(told.Skip(2).SkipLast(5), e => Assert.Equal($"restore.start {server}", e));
        Assert.True(told.Count >= 9);

        var all = (await events.AllAsync()).Select(e => e["payload"]!).ToList();
        Assert.Equal((Text(point, "id"), "frozen", 2), ((string?)all[1]["server_point"], (string?)all[1]["consistency"], (int?)all[1]["disks"]));
        Assert.Equal((Text(restored, "point"), scene.RootImage.ToString()), ((string?)all[^5]["point"], (string?)all[^5]["image"]));
        Assert.Equal("notfound", (string?)all[^1]["error"]);
    }

    private static async Task<List<string>> RestoresAsync(EventQueue events, string member) =>
        [.. (await events.TypesAsync(0, member)).Where(e => e.StartsWith("restore.", StringComparison.Ordinal))];

    private static string Text(JsonElement document, string name) => document.GetProperty(name).GetString()!;

    private static async Task<IReadOnlyList<Volume>> VolumesAsync(Tenant tenant, string name) =>
        [.. (await tenant.Cloud.BlockStorage.ListVolumesAsync(new VolumeFilter(), default).ToListAsync()).Where(v => v.Name == name)];
}
