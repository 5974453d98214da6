using System.Net.Http.Json;
using System.Text.Json.Nodes;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;
using static RbdBackup.OpenStack.Tests.Cloud.CloudPlace;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>A tenant's server that tests share; it takes seconds to boot.</summary>
public sealed class ServerPlace : IAsyncLifetime
{
    internal OpenStackCloud Tenant { get; } = Open(CloudPlace.Tenant());

    internal OpenStackCloud Worker { get; } = Open(Service());

    public string Name { get; } = $"clients-{Guid.NewGuid():N}";

    public string Id { get; private set; } = "";

    public string FlavorId { get; private set; } = "";

    public static async Task<string> ImageIdAsync()
    {
        var (client, _) = await LogInAsync(CloudPlace.Tenant());
        using (client)
        {
            var images = await client.GetFromJsonAsync<JsonNode>($"{Setting("RBDBACKUP_TEST_GLANCE_URL")}/v2/images?name=mini");
            return (string)images!["images"]![0]!["id"]!;
        }
    }

    public async Task InitializeAsync()
    {
        FlavorId = (await Tenant.Compute.ListFlavorsAsync(None).SingleAsync(flavor => flavor.Name == "mini")).Id;
        var asked = new NewServer(Name, FlavorId)
        {
            ImageId = await ImageIdAsync(),
            Networks = [],
            Metadata = new Dictionary<string, string> { ["backup_policy"] = "daily" },
            Description = "a test's",
        };
        Id = await Tenant.Compute.CreateServerAsync(asked, None);
        await UntilStatusAsync("ACTIVE");
    }

    public async Task DisposeAsync()
    {
        if (Id.Length > 0)
        {
            await Worker.Compute.UnlockAsync(Id, None);
            await Tenant.Compute.DeleteServerAsync(Id, None);
            await UntilAsync("the server is gone", async () => await FindAsync(Id) is null);
        }
        Tenant.Dispose();
        Worker.Dispose();
    }

    public Task UntilStatusAsync(string status) => UntilAsync($"the server is {status}", async () =>
    {
        var server = await Tenant.Compute.GetServerAsync(Id, None);
        Assert.True(server.Status != "ERROR", $"{server.Fault}");
        return server.Status == status && server.TaskState is null;
    });

    internal async Task<Server?> FindAsync(string id)
    {
        try
        {
            return await Tenant.Compute.GetServerAsync(id, None);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }
}
