using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.OpenStack.Servers;

/// <summary>A tenant's server with two ephemeral disks, a volume and a network, made of an image that no other server has; each disk holds its own name in a file.</summary>
public sealed class EphemeralScene : IAsyncLifetime
{
    private string? _flavor;

    public Tenant Tenant { get; } = Tenant.Of("A");

    public Server Server { get; private set; } = null!;

    public string Name { get; } = $"newserver-{Guid.NewGuid():N}";

    public static string Network => Mini.Setting("RBDBACKUP_TEST_NETWORK");

    public string VolumeName => $"{Name}-data";

    /// <summary>Glance's id.</summary>
    public string? Image { get; private set; }

    public IReadOnlyList<ImageSpec> Disks { get; private set; } = [];

    /// <summary>What each disk holds, in the order of their devices.</summary>
    public static string Content => "vda\nvdb\nvdc\nvdd\n";

    public async Task InitializeAsync()
    {
        try
        {
            using (var admin = await CloudActions.OfAsync("SERVICE"))
            {
                _flavor = await admin.CreateFlavorAsync(Name, ephemeral: 2);
            }

            using (var actions = await CloudActions.OfAsync("TENANT_A"))
            {
                Image = await actions.CopyImageAsync((await Tenant.Cloud.Images.ListAsync("mini", default).SingleAsync()).Id, Name);
            }

            await BootAsync();
        }
        catch
        {
            // Nobody disposes of a scene that did not come up.
            await DisposeAsync();
            throw;
        }
    }

    /// <summary>What the guest of a server reads on its disks, once all are mounted.</summary>
    internal static async Task<string> ReadAsync(string server)
    {
        var guest = new Guest(server);
        await guest.UpAsync(disks: 4);
        return await guest.RunAsync("cat /mnt/vda/name /mnt/vdb/name /mnt/vdc/name /mnt/vdd/name");
    }

    public async Task DisposeAsync()
    {
        await ServerScene.ReleaseAsync(Disks);
        await Tenant.DisposeAsync();
        using var admin = await CloudActions.OfAsync("SERVICE");
        if (Image is not null)
        {
            await admin.DeleteImageAsync(Image);
        }

        if (_flavor is not null)
        {
            await admin.DeleteFlavorAsync(_flavor);
        }
    }

    private async Task BootAsync()
    {
        var data = (await Tenant.Cloud.BlockStorage.CreateVolumeAsync(new NewVolume(VolumeName, 1), default)).Id;
        Tenant.Own(volume: data);
        await Tenant.VolumeUntilAsync(data, "available");
        Server = await Tenant.BootAsync(new NewServer(Name, _flavor!)
        {
            ImageId = Image,
            Ephemerals = [1, 1],
            Volumes = [new ServerVolume(data, Tag: "data")],
            Networks = [new ServerNetwork(Network)],
            Tags = ["has four disks"],
        });
        Disks = [.. (await ServerScene.ImagesAsync(Server.Id)).Select(i => new ImageSpec("vms", i)), new("volumes", $"volume-{data}")];
        var guest = new Guest(Server.Id);
        await guest.UpAsync(disks: 4);
        await guest.RunAsync("for d in vda vdb vdc vdd; do echo $d >/mnt/$d/name; done; sync");
    }
}
