using RbdBackup.Core.Model;
using RbdBackup.Http.Keystone;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>A tenant of devstack/mini's cloud. What it makes through this class is gone, in Ceph too, when it is disposed.</summary>
public sealed class Tenant : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);
    private readonly List<string> _servers = [];
    private readonly List<string> _volumes = [];

    private Tenant(string who) => Cloud = new OpenStackCloud(new CloudOptions { Keystone = Login(who) });

    /// <summary>The cloud as the tenant sees it.</summary>
    public OpenStackCloud Cloud { get; }

    /// <summary>The servers that were made through it.</summary>
    public IReadOnlyList<string> Servers => _servers;

    public static string AuthUrl => Mini.Setting("RBDBACKUP_TEST_KEYSTONE_URL");

    /// <summary>One of the two tenants: A or B.</summary>
    public static Tenant Of(string letter) => new($"TENANT_{letter}");

    /// <summary>The user that the worker and the operator have, who may see and do all.</summary>
    public static Tenant Service() => new("SERVICE");

    /// <summary>The settings with which a command or a worker logs in as the service user.</summary>
    public static string[] Settings() =>
    [
        "keystone.auth_type=password", $"keystone.auth_url={AuthUrl}", $"keystone.username={Mini.Setting("RBDBACKUP_TEST_SERVICE_USER")}",
        $"keystone.password={Mini.Setting("RBDBACKUP_TEST_SERVICE_PASSWORD")}", $"keystone.project_name={Mini.Setting("RBDBACKUP_TEST_SERVICE_PROJECT")}",
        "keystone.user_domain_name=Default", "keystone.project_domain_name=Default", "keystone.region_name=RegionOne", "keystone.valid_interfaces=public",
    ];

    /// <summary>A server of image mini, ACTIVE; its guest may still be booting (<see cref="Guest.UpAsync"/>).</summary>
    public async Task<Server> BootAsync(IReadOnlyDictionary<string, string>? metadata = null, string flavor = "mini", string name = "e2e")
    {
        var flavorId = (await Cloud.Compute.ListFlavorsAsync(default).SingleAsync(f => f.Name == flavor)).Id;
        var image = await Cloud.Images.ListAsync("mini", default).SingleAsync();
        var asked = new NewServer(name, flavorId) { ImageId = image.Id, Networks = [], Metadata = metadata ?? new Dictionary<string, string>() };
        return await BootAsync(asked);
    }

    /// <summary>The server that was asked for, ACTIVE.</summary>
    public async Task<Server> BootAsync(NewServer asked)
    {
        var id = await Cloud.Compute.CreateServerAsync(asked, default);
        _servers.Add(id);
        return await UntilAsync(id, "ACTIVE");
    }

    /// <summary>A volume, available.</summary>
    public async Task<Volume> CreateVolumeAsync(long size = 1, IReadOnlyDictionary<string, string>? metadata = null, string? type = null)
    {
        var asked = new NewVolume("e2e", size) { Metadata = metadata ?? new Dictionary<string, string>(), VolumeType = type };
        var id = (await Cloud.BlockStorage.CreateVolumeAsync(asked, default)).Id;
        _volumes.Add(id);
        return await VolumeUntilAsync(id, "available");
    }

    /// <summary>Attaches a volume and waits until it is in use.</summary>
    public async Task AttachAsync(string server, string volume)
    {
        await Cloud.Compute.AttachVolumeAsync(server, volume, null, false, null, default);
        await VolumeUntilAsync(volume, "in-use");
    }

    /// <summary>Makes the tenant answer for what something else made in its name.</summary>
    public void Own(string? server = null, string? volume = null)
    {
        _servers.AddRange(server is null ? [] : [server]);
        _volumes.AddRange(volume is null ? [] : [volume]);
    }

    /// <summary>The server once it is in a state and nothing is done to it.</summary>
    public async Task<Server> UntilAsync(string id, string status)
    {
        Server? server = null;
        await UntilAsync($"server {id} is {status}", async () =>
        {
            server = await Cloud.Compute.GetServerAsync(id, default);
            Assert.True(server.Status != "ERROR" || status == "ERROR", $"server {id} is in error: {server.Fault}");
            return server.Status == status && server.TaskState is null;
        });
        return server!;
    }

    /// <summary>The volume once it is in a state.</summary>
    public async Task<Volume> VolumeUntilAsync(string id, string status)
    {
        Volume? volume = null;
        await UntilAsync($"volume {id} is {status}", async () => (volume = await Cloud.BlockStorage.GetVolumeAsync(id, default)).Status == status);
        return volume!;
    }

    /// <summary>Waits for a condition, with a bound.</summary>
    public static async Task UntilAsync(string what, Func<Task<bool>> holds)
    {
        for (var limit = DateTime.UtcNow + Patience; !await holds();)
        {
            Assert.True(DateTime.UtcNow < limit, $"waited in vain for: {what}");
            await Task.Delay(300);
        }
    }

    /// <summary>True where the cloud no longer shows it.</summary>
    public static async Task<bool> IsGoneAsync<T>(Func<Task<T>> get)
    {
        try
        {
            await get();
            return false;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var id in _servers)
        {
            await IsGoneAsync(async () => { await Cloud.Compute.DeleteServerAsync(id, default); return id; });
        }

        foreach (var id in _servers)
        {
            await UntilAsync($"server {id} is gone", () => IsGoneAsync(() => Cloud.Compute.GetServerAsync(id, default)));
        }

        foreach (var id in _volumes)
        {
            await IsGoneAsync(() => DeleteVolumeAsync(id));
            await UntilAsync($"volume {id} is gone", () => IsGoneAsync(() => Cloud.BlockStorage.GetVolumeAsync(id, default)));
        }

        Cloud.Dispose();
    }

    /// <summary>One that goes with its server is being deleted already.</summary>
    private async Task<string> DeleteVolumeAsync(string id)
    {
        if ((await Cloud.BlockStorage.GetVolumeAsync(id, default)).Status != "deleting")
        {
            await Cloud.BlockStorage.DeleteVolumeAsync(id, default);
        }

        return id;
    }

    private static KeystoneOptions Login(string who) => new()
    {
        AuthUrl = AuthUrl,
        Username = Mini.Setting($"RBDBACKUP_TEST_{who}_USER"),
        Password = Mini.Setting($"RBDBACKUP_TEST_{who}_PASSWORD"),
        ProjectName = Mini.Setting($"RBDBACKUP_TEST_{who}_PROJECT"),
        RegionName = "RegionOne",
        Interfaces = ["public"],
    };
}
