using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Failure;
using RbdBackup.OpenStack.BlockStorage;

namespace RbdBackup.EndToEnd.OpenStack.Servers;

/// <summary>New servers with ephemeral disks, which Nova alone can make: they are filled while the server is off, and its guest boots once, with all its disks.</summary>
[Trait("Needs", "OpenStack")]
public sealed class EphemeralTests(EphemeralScene scene) : IClassFixture<EphemeralScene>, IAsyncLifetime
{
    private readonly Tenant _service = Tenant.Service();
    private readonly string _name = $"newserver-{Guid.NewGuid():N}";
    private CloudActions _admin = null!;
    private string[] _restore = [];

    private Sandbox Sandbox { get; } = ServerScene.Sandbox();

    public async Task InitializeAsync()
    {
        _admin = await CloudActions.OfAsync("SERVICE");
        await ServerScene.ReleaseAsync(scene.Disks);
        var point = await Sandbox.DoAsync("backup", "server", scene.Server.Id);
        Assert.Equal(["root", "ephemeral", "ephemeral", "volume"], point.GetProperty("disks").EnumerateArray().Select(d => d.GetProperty("role").GetString()));
        _restore = ["restore", point.GetProperty("id").GetString()!, "--to-new-server", _name, "--project", Mini.Setting("RBDBACKUP_TEST_SERVICE_PROJECT")];
    }

    [Fact]
    public async Task They_are_filled_and_what_can_not_be_is_refused_before_anything_is_made()
    {
        await IsRefusedAsync("the ephemeral disks have 2 GiB", "--flavor", "mini");
        await IsRefusedAsync("there is no network", "--network", Guid.NewGuid().ToString());
        await IsRefusedAsync("has no key", "--key-name", "none-such");
        Assert.Empty(await ServerScene.ServersAsync(_service, _name));
        Assert.Empty(await VolumesAsync());

        await _admin.CreateKeyAsync(_name);
        try
        {
            var made = Own(await Sandbox.DoAsync([.. _restore, "--key-name", _name, "--network", EphemeralScene.Network, "--network", EphemeralScene.Network]));
            var server = await _service.UntilAsync(made.Server, "ACTIVE");
            Assert.Equal((scene.Image, _name), (server.ImageId, server.KeyName));
            Assert.Equal(["has four disks"], server.Tags!);
            await HasCardsAsync(made.Server, 2);
            await HasItsDisksAsync(made, "_disk", "_disk.eph0", "_disk.eph1");
            Assert.Equal("data", Assert.Single(await _service.Cloud.Compute.ListVolumesAsync(made.Server, default)).Tag);
        }
        finally
        {
            await _admin.DeleteKeyAsync(_name);
        }
    }

    [Fact]
    public async Task Without_its_image_the_root_disk_is_a_volume_that_is_filled_with_them_also_after_a_kill()
    {
        await _admin.ImageAsync(scene.Image!, "deactivate");
        try
        {
            await Killed.AtAsync(Sandbox, "newserver.root", _restore);
            var half = Assert.Single(await ServerScene.ServersAsync(_service, _name));
            Assert.Equal("SHUTOFF", (await _service.Cloud.Compute.GetServerAsync(half, default)).Status);
            var made = Own(await Killed.AgainAsync(Sandbox, _restore));

            Assert.Equal(made.Server, Assert.Single(await ServerScene.ServersAsync(_service, _name)));
            Assert.Empty(await ServerScene.ImagesAsync(half));
            Assert.Equal(made.Volumes.Order(), (await VolumesAsync()).Select(v => v.Id).Order());
            var server = await _service.UntilAsync(made.Server, "ACTIVE");
            Assert.Equal((null, null), (server.ImageId, server.KeyName));
            await HasCardsAsync(made.Server, 1);
            await HasItsDisksAsync(made, "_disk.eph0", "_disk.eph1");

            // The machine is as the image wanted it, and the volume is as any other.
            var root = Assert.Single(await VolumesAsync(), v => v.Bootable);
            Assert.Equal(("virtio", "yes"), (root.VolumeImageMetadata!["hw_disk_bus"], root.VolumeImageMetadata["hw_qemu_guest_agent"]));
            Assert.Empty(root.Metadata);
        }
        finally
        {
            await _admin.ImageAsync(scene.Image!, "reactivate");
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var server in _service.Servers)
        {
            await ServerScene.ReleaseAsync((await ServerScene.ImagesAsync(server)).Select(i => new ImageSpec("vms", i)));
        }

        await _service.DisposeAsync();
        _admin.Dispose();
        Sandbox.Dispose();
    }

    /// <summary>So many cards in the network, with addresses of their own: the old server still has its own.</summary>
    private async Task HasCardsAsync(string server, int count)
    {
        var cards = await _service.Cloud.Compute.ListInterfacesAsync(server, default);
        Assert.Equal(Enumerable.Repeat(EphemeralScene.Network, count), cards.Select(c => c.NetId));
        var old = (await _service.Cloud.Compute.ListInterfacesAsync(scene.Server.Id, default)).Select(c => c.FixedIps![0].IpAddress);
        Assert.Equal(count + 1, cards.Select(c => c.FixedIps![0].IpAddress).Concat(old).Distinct().Count());
    }

    private async Task IsRefusedAsync(string why, params string[] options)
    {
        var result = await Sandbox.RunAsync([.. _restore, .. options]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(why, result.Error, StringComparison.Ordinal);
    }

    private (string Server, IReadOnlyList<string> Volumes) Own(JsonElement made)
    {
        var (server, volumes) = (made.GetProperty("server").GetString()!, made.GetProperty("volumes").EnumerateArray().Select(v => v.GetString()!).ToList());
        _service.Own(server: server);
        volumes.ForEach(v => _service.Own(volume: v));
        return (server, volumes);
    }

    /// <summary>The volumes of the service's project that a restore of this test can have made.</summary>
    private async Task<IReadOnlyList<Volume>> VolumesAsync() =>
        [.. (await _service.Cloud.BlockStorage.ListVolumesAsync(new(), default).ToListAsync()).Where(v => v.Name == scene.VolumeName || v.Name?.StartsWith(_name, StringComparison.Ordinal) == true)];

    private static async Task HasItsDisksAsync((string Server, IReadOnlyList<string> Volumes) made, params string[] suffixes)
    {
        Assert.Equal(suffixes.Select(s => made.Server + s), (await ServerScene.ImagesAsync(made.Server)).Order(StringComparer.Ordinal));
        Assert.Equal(EphemeralScene.Content, await EphemeralScene.ReadAsync(made.Server));
    }
}
