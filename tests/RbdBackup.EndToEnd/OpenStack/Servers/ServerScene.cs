using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.OpenStack.Servers;

[CollectionDefinition(ServerScene.Shared)]
public sealed class ServerSceneCollection : ICollectionFixture<ServerScene>;

/// <summary>
/// A tenant's server with a volume, whose guest writes the same counter to both disks, over and over; tests share it, since it takes its time to boot. Each test has a
/// repository and a state namespace of its own.
/// </summary>
public sealed class ServerScene : IAsyncLifetime
{
    public const string Shared = "a server that counts";

    private readonly List<ImageSpec> _images = [];

    public Tenant Tenant { get; } = Tenant.Of("A");

    public Server Server { get; private set; } = null!;

    public string Volume { get; private set; } = "";

    public string Name { get; } = $"servers-{Guid.NewGuid():N}";

    public string VolumeName => $"{Name}-data";

    public ImageSpec RootImage => new("vms", $"{Server.Id}_disk");

    public ImageSpec VolumeImage => new("volumes", $"volume-{Volume}");

    internal Guest Guest => new(Server.Id);

    public async Task InitializeAsync()
    {
        Server = await Tenant.BootAsync(new Dictionary<string, string> { ["owner"] = "servers" }, name: Name);
        Volume = (await Tenant.Cloud.BlockStorage.CreateVolumeAsync(new NewVolume(VolumeName, 1), default)).Id;
        Tenant.Own(volume: Volume);
        await Tenant.VolumeUntilAsync(Volume, "available");
        await Tenant.AttachAsync(Server.Id, Volume);
        await Guest.UpAsync(disks: 2);
        await CountAsync();
    }

    /// <summary>Starts the server, and has its guest count again.</summary>
    public async Task StartAsync()
    {
        await Tenant.Cloud.Compute.StartAsync(Server.Id, default);
        await Tenant.UntilAsync(Server.Id, "ACTIVE");
        await Guest.UpAsync(disks: 2);
        await CountAsync();
    }

    /// <summary>The guest counts: first on the root disk, then on the volume, in place and synced, and as fast as it can: it starts no process for it.</summary>
    public async Task CountAsync()
    {
        const string loop = """
            n=0
            while [ ! -e /tmp/stop ]; do
                n=$((n + 1))
                for d in vda vdb; do printf '%016d' $n 1<>/mnt/$d/counter; done
            done
            rm /tmp/counting
            """;
        await Guest.RunAsync($"rm -f /tmp/stop; touch /tmp/counting; for d in vda vdb; do mount -o remount,sync /mnt/$d; done; cat >/tmp/count <<'END'\n{loop}\nEND\nsync; sh /tmp/count </dev/null >/dev/null 2>&1 &");
        await Tenant.UntilAsync("the guest counts", async () => (await Guest.RunAsync("cat /mnt/vdb/counter 2>/dev/null || true")).Length == 16);
    }

    /// <summary>The guest counts no more, and has written what it counted.</summary>
    public Task StopCountingAsync() => Guest.RunAsync("touch /tmp/stop; while [ -e /tmp/counting ]; do sleep 0.2; done; sync");

    /// <summary>A repository and state of a test's own, logged in as the worker is.</summary>
    public static Sandbox Sandbox(params string[] more) => new(
    [
        .. Tenant.Settings(), $"ceph.user={Mini.WorkerUser}", $"ceph.restore_user={Mini.WorkerUser}", $"ceph.state_namespace=e2e-servers-{Guid.NewGuid():N}", "ceph.lease_duration=5s",
        $"backup.libvirt_uri={Mini.Setting("RBDBACKUP_TEST_LIBVIRT_URI")}", .. more,
    ]);

    /// <summary>A raw file with a disk as it is at a point.</summary>
    public async Task<string> FileAsync(Sandbox sandbox, string point)
    {
        var image = new ImageSpec("vms", Mini.NewName());
        await sandbox.DoAsync("restore", point, "--to", image.ToString());
        _images.Add(image);
        var file = Path.Combine(sandbox.Folder, point);
        await Tool.RbdAsync("export", "--no-progress", image.ToString(), file);
        return file;
    }

    /// <summary>The ids of the servers with a name that a tenant sees.</summary>
    public static async Task<IReadOnlyList<string>> ServersAsync(Tenant tenant, string name) =>
        [.. (await tenant.Cloud.Compute.ListServersAsync(new ServerFilter { Name = $"^{name}$" }, default).ToListAsync()).Select(s => s.Id)];

    /// <summary>The images of Nova's whose names start with a server's id.</summary>
    public static async Task<IReadOnlyList<string>> ImagesAsync(string server) =>
        [.. (await Tool.RbdAsync("ls", "vms")).Split('\n').Where(i => i.StartsWith(server, StringComparison.Ordinal))];

    /// <summary>The points of a server point's disks.</summary>
    public static (string Root, string Volume) Points(JsonElement serverPoint)
    {
        string Of(string role) => serverPoint.GetProperty("disks").EnumerateArray().Single(d => d.GetProperty("role").GetString() == role).GetProperty("point").GetString()!;
        return (Of("root"), Of("volume"));
    }

    /// <summary>Our snapshots on an image.</summary>
    public static async Task<IReadOnlyList<string>> SnapshotsAsync(ImageSpec image) =>
        [.. JsonDocument.Parse(await Tool.RbdAsync("snap", "ls", "--format", "json", image.ToString())).RootElement.EnumerateArray().Select(s => s.GetProperty("name").GetString()!)];

    /// <summary>Takes our snapshots off an image, as the end of its protection does: Nova and Cinder delete no image that has any.</summary>
    public static async Task ReleaseAsync(params IEnumerable<ImageSpec> images)
    {
        foreach (var image in images)
        {
            await Tool.BashAsync("rbd --name client.admin snap purge --no-progress \"$1\" 2>/dev/null || true", image.ToString());
        }
    }

    public async Task DisposeAsync()
    {
        await ReleaseAsync([RootImage, VolumeImage, .. _images]);
        foreach (var image in _images)
        {
            await Tool.RbdAsync("rm", "--no-progress", image.ToString());
        }

        await Tenant.DisposeAsync();
    }
}
