using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Failure;
using RbdBackup.EndToEnd.Worker;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.OpenStack.Servers;

/// <summary>A server that boots from a volume: Nova has no disk of it.</summary>
[Trait("Needs", "OpenStack")]
public sealed class BootVolumeTests(Mini mini) : IClassFixture<Mini>
{
    private readonly string _name = $"e2e-newserver-{Guid.NewGuid():N}";

    [Fact]
    public async Task Its_volumes_are_protected_and_it_is_made_anew_of_them_after_it_was_deleted()
    {
        await using var service = Tenant.Service();
        string point;
        using var sandbox = new Sandbox(TenantScene.Settings(_name, listens: true, [.. Killed.Settings, "tenants.reconcile_interval=1h", $"ceph.restore_user={Mini.WorkerUser}"]));
        await using (var tenant = Tenant.Of("A"))
        {
            var (server, root, data) = await BootAsync(tenant);
            await using (var worker = await WorkerProcess.StartAsync(sandbox))
            {
                await tenant.Cloud.Compute.SetMetadataAsync(server, new Dictionary<string, string> { [$"{TenantScene.Prefix(_name)}_policy"] = "daily" }, default);
                await WorkerProcess.UntilAsync("both volumes to be protected, and nothing else", async () => (await TenantScene.MembersAsync(mini.Admin, _name)).ToHashSet()
                    .SetEquals(((string[])[root, data]).Select(v => KeyValuePair.Create(Image(v).ToString(), "daily"))), worker);
                await WorkerProcess.UntilAsync(
                    "a point of each", async () => (await TenantScene.PointsAsync(sandbox, $"{Image(root)}"), await TenantScene.PointsAsync(sandbox, $"{Image(data)}")) == (1, 1), worker);
            }

            var guest = new Guest(server);
            await guest.UpAsync(disks: 2);
            await guest.RunAsync("echo root >/mnt/vda/file; echo data >/mnt/vdb/file; sync");
            var made = await sandbox.DoAsync("backup", "server", server);
            Assert.Equal(["volume", "volume"], made.GetProperty("disks").EnumerateArray().Select(d => d.GetProperty("role").GetString()));
            point = made.GetProperty("id").GetString()!;
            await ServerScene.ReleaseAsync(Image(root), Image(data));
        }

        // Server and volumes are gone, the image is not asked for.
        string[] restore = ["restore", point, "--to-new-server", _name, "--project", Mini.Setting("RBDBACKUP_TEST_SERVICE_PROJECT")];
        await Killed.AtAsync(sandbox, "newserver.server", restore);
        var half = Assert.Single(await ServerScene.ServersAsync(service, _name));
        var result = await Killed.AgainAsync(sandbox, restore);

        var id = result.GetProperty("server").GetString()!;
        var volumes = result.GetProperty("volumes").EnumerateArray().Select(v => v.GetString()!).ToList();
        service.Own(server: id);
        volumes.ForEach(v => service.Own(volume: v));
        try
        {
            Assert.NotEqual(half, id);
            await IsWhatItWasAsync(service, id, volumes);
        }
        finally
        {
            await ServerScene.ReleaseAsync(volumes.Select(Image));
        }
    }

    private static ImageSpec Image(string volume) => new("volumes", $"volume-{volume}");

    private async Task<(string Server, string Root, string Data)> BootAsync(Tenant tenant)
    {
        using var actions = await CloudActions.OfAsync("TENANT_A");
        var image = await tenant.Cloud.Images.ListAsync("mini", default).SingleAsync();
        var root = await actions.VolumeOfImageAsync(image.Id, $"{_name}-root");
        tenant.Own(volume: root);
        var data = (await tenant.Cloud.BlockStorage.CreateVolumeAsync(new($"{_name}-data", 1), default)).Id;
        tenant.Own(volume: data);
        await tenant.VolumeUntilAsync(root, "available");
        await tenant.VolumeUntilAsync(data, "available");
        var flavor = await tenant.Cloud.Compute.ListFlavorsAsync(default).SingleAsync(f => f.Name == "mini");

        // The data volume comes first: what is booted from is told by its index, not by its place.
        var server = await tenant.BootAsync(new NewServer(_name, flavor.Id)
        {
            Networks = [],
            Volumes = [new ServerVolume(data, null, "/dev/vdb"), new ServerVolume(root, 0, "/dev/vda", DeleteOnTermination: true)],
            Metadata = new Dictionary<string, string> { ["owner"] = "newserver" },
            Tags = ["boots from a volume"],
        });
        return (server.Id, root, data);
    }

    /// <summary>It boots from the restored root volume; devices, names and metadata are as they were, and what only an unfinished restore has is gone.</summary>
    private async Task IsWhatItWasAsync(Tenant service, string id, List<string> volumes)
    {
        Assert.Equal(id, Assert.Single(await ServerScene.ServersAsync(service, _name)));
        var server = await service.UntilAsync(id, "ACTIVE");
        Assert.Null(server.ImageId);
        Assert.Equal(("newserver", "daily", 2), (server.Metadata!["owner"], server.Metadata[$"{TenantScene.Prefix(_name)}_policy"], server.Metadata.Count));
        Assert.Equal(["boots from a volume"], server.Tags!);
        Assert.Empty(await ServerScene.ImagesAsync(id));
        var attached = (await service.Cloud.Compute.ListVolumesAsync(id, default)).ToDictionary(a => a.VolumeId);
        Assert.Equal(volumes.Order(), attached.Keys.Order());
        foreach (var volume in volumes)
        {
            var shown = await service.Cloud.BlockStorage.GetVolumeAsync(volume, default);
            var isRoot = shown.Name == $"{_name}-root";
            Assert.Equal((isRoot ? "/dev/vda" : "/dev/vdb", isRoot, isRoot), (attached[volume].Device, attached[volume].DeleteOnTermination, shown.Bootable));
            Assert.Equal(isRoot, shown.VolumeImageMetadata?.Count > 0);
            Assert.Empty(shown.Metadata);
        }

        var names = await service.Cloud.BlockStorage.ListVolumesAsync(new() { AllProjects = true }, default).Select(v => v.Name).Where(n => n?.StartsWith(_name, StringComparison.Ordinal) == true).ToListAsync();
        Assert.Equal([$"{_name}-data", $"{_name}-root"], names.Order());
        var guest = new Guest(id);
        await guest.UpAsync(disks: 2);
        Assert.Equal("root\ndata\n", await guest.RunAsync("cat /mnt/vda/file /mnt/vdb/file"));
    }
}
