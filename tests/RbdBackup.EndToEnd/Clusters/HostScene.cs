using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.OpenStack;
using RbdBackup.EndToEnd.OpenStack.Servers;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.Clusters;

/// <summary>A tenant's server, whose disk is in the default cluster, and an image of that name in a second one.</summary>
public sealed class HostScene : IAsyncLifetime
{
    public SecondCluster Clusters { get; } = new();

    public Tenant Tenant { get; } = Tenant.Of("A");

    public Server Server { get; private set; } = null!;

    /// <summary>The server's compute host, as Nova shows it to the operator.</summary>
    public string Host { get; private set; } = "";

    /// <summary>Its disk.</summary>
    public ImageSpec Root => new("vms", $"{Server.Id}_disk");

    /// <summary>What lies in the second cluster.</summary>
    public TestImage Left { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        await Clusters.InitializeAsync();
        try
        {
            Server = await Tenant.BootAsync(name: "e2e-hosts");
            await using var service = Tenant.Service();
            Host = (await service.Cloud.Compute.GetServerAsync(Server.Id, default)).Host!;
            Left = await Clusters.CreateAsync(1 << 20, Root.Name);
        }
        catch
        {
            // Nobody disposes of a scene that did not come up.
            await Tenant.DisposeAsync();
            await Clusters.DisposeAsync();
            throw;
        }
    }

    public async Task DisposeAsync()
    {
        await ServerScene.ReleaseAsync(Root);
        await Tenant.DisposeAsync();
        await Left.DisposeAsync();
        await Clusters.DisposeAsync();
    }
}
