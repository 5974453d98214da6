using System.Text.Json.Nodes;
using RbdBackup.Ceph;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Worker;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>
/// A server of tenant A's with a volume, and a volume of tenant B's, for tests that come one after another. Each test has a prefix of its own for the
/// metadata: the workers of others, who see all of the cloud too, take no notice of it.
/// </summary>
public sealed class TenantScene : IAsyncLifetime
{
    public Tenant A { get; } = Tenant.Of("A");

    public Tenant B { get; } = Tenant.Of("B");

    public Server Server { get; private set; } = null!;

    public Volume Data { get; private set; } = null!;

    /// <summary>Tenant B's volume.</summary>
    public Volume Foreign { get; private set; } = null!;

    public string Root => $"vms/{Server.Id}_disk";

    public string DataImage => $"volumes/volume-{Data.Id}";

    public string ForeignImage => $"volumes/volume-{Foreign.Id}";

    public string ProjectA => Server.ProjectId;

    public async Task InitializeAsync()
    {
        try
        {
            (Data, Foreign) = (await A.CreateVolumeAsync(), await B.CreateVolumeAsync());
            Server = await A.BootAsync(name: "e2e-tenants");
            await A.AttachAsync(Server.Id, Data.Id);
        }
        catch
        {
            // Nobody disposes of a scene that did not come up.
            await A.DisposeAsync();
            await B.DisposeAsync();
            throw;
        }
    }

    public async Task DisposeAsync()
    {
        // No worker runs that would release them, and Nova would leave the image.
        await Tool.RbdAsync("snap", "purge", Root);
        await A.DisposeAsync();
        await B.DisposeAsync();
    }

    /// <summary>What begins the metadata keys of a test: <c>PREFIX_policy</c> and the like.</summary>
    public static string Prefix(string name) => $"t{name[^8..]}";

    /// <summary>Settings of a worker that asks the real cloud.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="listens">False: no notification of the services' comes to it.</param>
    /// <param name="more">More settings.</param>
    public static string[] Settings(string name, bool listens, params string[] more) =>
    [
        .. WorkerProcess.Settings(name), .. Tenant.Settings(), "tenants.ask_cloud=true", $"notifications.metadata_prefix={Prefix(name)}_",
        $"notifications.exchanges={name}.forged{(listens ? ", nova, cinder, openstack" : "")}", "jobs.retry_delay=1s", .. more,
    ];

    /// <summary>Sets a key of the server's metadata, once Nova takes it.</summary>
    public Task SetAsync(string key, string value) => WhenNovaTakesItAsync(
        () => A.Cloud.Compute.SetMetadataAsync(Server.Id, new Dictionary<string, string> { [key] = value }, default));

    /// <summary>
    /// The same where a status may be written in the same moment: Nova reads all keys and writes all back, and of two writers one can lose. So it is looked at until the
    /// other's write is over.
    /// </summary>
    public async Task SetBesideStatusAsync(string key, string value)
    {
        await SetAsync(key, value);
        for (var seen = 0; seen < 4; seen++)
        {
            await Task.Delay(500);
            if ((await A.Cloud.Compute.GetServerAsync(Server.Id, default)).Metadata?.GetValueOrDefault(key) != value)
            {
                await SetAsync(key, value);
                seen = 0;
            }
        }
    }

    public Task UnsetAsync(string key) => WhenNovaTakesItAsync(() => A.Cloud.Compute.DeleteMetadataAsync(Server.Id, key, default));

    /// <summary>Sets a key of the metadata of tenant A's volume.</summary>
    public Task SetVolumeAsync(string key, string value) => A.Cloud.BlockStorage.SetMetadataAsync(Data.Id, new Dictionary<string, string> { [key] = value }, default);

    /// <summary>Server and volume without metadata, and the volume attached.</summary>
    public async Task ResetAsync()
    {
        foreach (var key in (await A.Cloud.Compute.GetServerAsync(Server.Id, default)).Metadata!.Keys)
        {
            await UnsetAsync(key);
        }

        var volume = await A.Cloud.BlockStorage.GetVolumeAsync(Data.Id, default);
        foreach (var key in volume.Metadata.Keys)
        {
            await A.Cloud.BlockStorage.DeleteMetadataAsync(Data.Id, key, default);
        }

        if (volume.Status != "in-use")
        {
            await A.VolumeUntilAsync(Data.Id, "available");
            await A.AttachAsync(Server.Id, Data.Id);
        }
    }

    /// <summary>A Cinder snapshot of tenant A's volume; its id.</summary>
    public async Task<string> SnapshotAsync(params string[] properties)
    {
        string[] all = [.. properties.SelectMany(p => new[] { "--property", p })];
        var id = (await CliAsync(["volume", "snapshot", "create", "--force", "--volume", Data.Id, "-f", "value", "-c", "id", .. all, "e2e"])).Trim();
        await Tenant.UntilAsync("the snapshot", async () => (await A.Cloud.BlockStorage.GetSnapshotAsync(id, default)).Status == "available");
        return id;
    }

    public async Task DeleteSnapshotAsync(string id)
    {
        await CliAsync("volume", "snapshot", "delete", id);
        await Tenant.UntilAsync("the snapshot's end", () => Tenant.IsGoneAsync(() => A.Cloud.BlockStorage.GetSnapshotAsync(id, default)));
    }

    /// <summary>The server's status, as its project reads it; null for none.</summary>
    public async Task<string?> StatusAsync(string name) =>
        (await A.Cloud.Compute.GetServerAsync(Server.Id, default)).Metadata!.GetValueOrDefault($"{Prefix(name)}_status");

    /// <summary>The policies of disks by image, as a worker remembers them.</summary>
    public static async Task<Dictionary<string, string>> MembersAsync(CephCluster admin, string name)
    {
        await using var state = new RadosStateStore(admin, "rbdbackup", name);
        return (await state.ReadAsync("members", default)).Values.Select(v => JsonNode.Parse(v)!)
            .Where(m => m["policy"] is not null).ToDictionary(m => m["image"]!.GetValue<string>(), m => m["policy"]!.GetValue<string>());
    }

    /// <summary>How many points a disk has.</summary>
    public static async Task<int> PointsAsync(Sandbox sandbox, string image) =>
        (await WorkerProcess.PointsAsync(sandbox)).Count(p => p.GetProperty("image").GetString() == image);

    /// <summary>OpenStack's own command, as tenant A types it.</summary>
    public static Task<string> CliAsync(params string[] arguments) => CliOfAsync("A", arguments);

    /// <summary>The same as another tenant types it.</summary>
    public static Task<string> CliOfAsync(string tenant, params string[] arguments) => CliAsAsync($"TENANT_{tenant}", arguments);

    /// <summary>The same as the operator types it.</summary>
    public static Task<string> CliOfServiceAsync(params string[] arguments) => CliAsAsync("SERVICE", arguments);

    private static Task<string> CliAsAsync(string who, string[] arguments) => Tool.RunAsync(
        new Dictionary<string, string>
        {
            ["OS_AUTH_URL"] = Tenant.AuthUrl,
            ["OS_USERNAME"] = Mini.Setting($"RBDBACKUP_TEST_{who}_USER"),
            ["OS_PASSWORD"] = Mini.Setting($"RBDBACKUP_TEST_{who}_PASSWORD"),
            ["OS_PROJECT_NAME"] = Mini.Setting($"RBDBACKUP_TEST_{who}_PROJECT"),
        },
        "openstack",
        arguments);

    private static Task WhenNovaTakesItAsync(Func<Task> change) => Tenant.UntilAsync("Nova takes metadata", async () =>
    {
        try
        {
            await change();
            return true;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
        {
            return false;
        }
    });
}

/// <summary>The tests that share the scene, one after another.</summary>
[CollectionDefinition(nameof(TenantScene))]
public sealed class TenantSceneTests : ICollectionFixture<TenantScene>;
