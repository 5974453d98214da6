using System.Text.Json.Nodes;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.Compute;

/// <summary>Nova's servers. Every call may fail with <see cref="ErrorKind.Busy"/> where the server's state does not allow it now (409).</summary>
public sealed partial class ComputeClient
{
    private readonly ServiceClient _nova;

    internal ComputeClient(CloudSession session) => _nova = new ServiceClient(session, ServiceKind.Nova);

    /// <summary>Shows a server. One that was deleted shows with status <c>DELETED</c> for a moment, before it is not found.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/> where there is none, or none that we may see.</exception>
    public Task<Server> GetServerAsync(string id, CancellationToken cancel) =>
        _nova.GetAsync(CloudTypes.Default.Server, new(HttpMethod.Get, Path(id), $"showing the server {id}"), "server", cancel);

    /// <summary>Lists servers, the newest first, page by page.</summary>
    /// <param name="filter">Which ones.</param>
    /// <param name="cancel">Ends the listing.</param>
    public IAsyncEnumerable<Server> ListServersAsync(ServerFilter filter, CancellationToken cancel)
    {
        var query = new Dictionary<string, string?>
        {
            ["all_tenants"] = filter.AllProjects ? "1" : null,
            ["project_id"] = filter.ProjectId,
            ["name"] = filter.Name,
            ["changes-since"] = filter.ChangedSince?.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ"),
        };
        return _nova.ListAsync(CloudTypes.Default.IReadOnlyListServer, new(HttpMethod.Get, "/servers/detail", "listing servers") { Query = query }, "servers", server => server.Id, cancel);
    }

    /// <summary>A server that was deleted, as far as Nova remembers it (until its database is archived); null where it remembers none. Needs a role that may see
    /// deleted servers of every project.</summary>
    public async Task<Server?> FindDeletedServerAsync(string id, CancellationToken cancel)
    {
        var query = new Dictionary<string, string?> { ["all_tenants"] = "1", ["deleted"] = "true", ["uuid"] = id };
        return await _nova.ListAsync(CloudTypes.Default.IReadOnlyListServer, new(HttpMethod.Get, "/servers/detail", $"looking for the deleted server {id}") { Query = query }, "servers", server => server.Id, cancel)
            .FirstOrDefaultAsync(server => server.Id == id, cancel);
    }

    /// <summary>What was done to a server, the newest first.</summary>
    public Task<IReadOnlyList<ServerAction>> ListActionsAsync(string id, CancellationToken cancel) =>
        _nova.GetAsync(
            CloudTypes.Default.IReadOnlyListServerAction, new(HttpMethod.Get, $"{Path(id)}/os-instance-actions", $"listing what was done to the server {id}"), "instanceActions", cancel);

    /// <summary>Sets metadata; keys that are not named stay. Nova gives each server 128 keys, or what the quota says.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NoSpace"/> where the quota of keys is used up; <see cref="ErrorKind.Usage"/> for a key that Nova does not take.</exception>
    public Task SetMetadataAsync(string id, IReadOnlyDictionary<string, string> metadata, CancellationToken cancel) =>
        _nova.DoAsync(
            new(HttpMethod.Post, $"{Path(id)}/metadata", $"setting metadata of the server {id}")
            {
                Body = new() { ["metadata"] = CloudJson.Of(metadata) },
                IsRepeatable = true,
            },
            cancel);

    /// <summary>Deletes a key of the metadata; it may be gone already, and so may the server.</summary>
    public Task DeleteMetadataAsync(string id, string key, CancellationToken cancel) =>
        _nova.RemoveAsync(new(HttpMethod.Delete, $"{Path(id)}/metadata/{ServiceCall.Part(key)}", $"deleting the metadata key '{key}' of the server {id}"), cancel);

    /// <summary>The volumes that are attached to a server.</summary>
    public Task<IReadOnlyList<VolumeAttachment>> ListVolumesAsync(string id, CancellationToken cancel) =>
        _nova.GetAsync(
            CloudTypes.Default.IReadOnlyListVolumeAttachment, new(HttpMethod.Get, $"{Path(id)}/os-volume_attachments", $"listing the volumes of the server {id}"), "volumeAttachments", cancel);

    /// <summary>The ports of a server, in the order of its interfaces.</summary>
    public Task<IReadOnlyList<ServerInterface>> ListInterfacesAsync(string id, CancellationToken cancel) =>
        _nova.GetAsync(
            CloudTypes.Default.IReadOnlyListServerInterface, new(HttpMethod.Get, $"{Path(id)}/os-interface", $"listing the interfaces of the server {id}"), "interfaceAttachments", cancel);

    /// <summary>Attaches a volume; it is attached a while after Nova's answer.</summary>
    /// <param name="id">The server.</param>
    /// <param name="volumeId">The volume.</param>
    /// <param name="device">Such as <c>/dev/vdb</c>, which hypervisors take as a hint; null for the next one.</param>
    /// <param name="deleteOnTermination">True to delete the volume with the server.</param>
    /// <param name="tag">What the guest finds it by; null for nothing.</param>
    /// <param name="cancel">Ends the wait.</param>
    public Task<VolumeAttachment> AttachVolumeAsync(string id, string volumeId, string? device, bool deleteOnTermination, string? tag, CancellationToken cancel)
    {
        var attachment = new JsonObject { ["volumeId"] = volumeId, ["delete_on_termination"] = deleteOnTermination };
        if (device is not null)
        {
            attachment["device"] = device;
        }
        if (tag is not null)
        {
            attachment["tag"] = tag;
        }
        return _nova.GetAsync(
            CloudTypes.Default.VolumeAttachment, new(HttpMethod.Post, $"{Path(id)}/os-volume_attachments", $"attaching the volume {volumeId} to the server {id}") { Body = new() { ["volumeAttachment"] = attachment } },
            "volumeAttachment",
            cancel);
    }

    /// <summary>Detaches a volume; it is detached a while after Nova's answer. It may be detached already.</summary>
    public Task DetachVolumeAsync(string id, string volumeId, CancellationToken cancel) =>
        _nova.RemoveAsync(
            new(HttpMethod.Delete, $"{Path(id)}/os-volume_attachments/{ServiceCall.Part(volumeId)}", $"detaching the volume {volumeId} from the server {id}"), cancel);

    /// <summary>Makes a server; it is built a while after Nova's answer.</summary>
    /// <returns>Its id.</returns>
    public async Task<string> CreateServerAsync(NewServer server, CancellationToken cancel)
    {
        var call = new ServiceCall(HttpMethod.Post, "/servers", $"making the server '{server.Name}'") { Body = new() { ["server"] = server.ToJson() } };
        return (await _nova.GetAsync(CloudTypes.Default.Created, call, "server", cancel)).Id;
    }

    /// <summary>Deletes a server; it is gone a while after Nova's answer. It may be gone already.</summary>
    public Task DeleteServerAsync(string id, CancellationToken cancel) =>
        _nova.RemoveAsync(new(HttpMethod.Delete, Path(id), $"deleting the server {id}"), cancel);

    /// <summary>Whether we have a key of this name: keys belong to users.</summary>
    public Task<bool> HasKeyAsync(string name, CancellationToken cancel) =>
        _nova.HasAsync(new(HttpMethod.Get, $"/os-keypairs/{ServiceCall.Part(name)}", $"showing the key '{name}'"), cancel);

    /// <summary>Shows a flavor.</summary>
    public Task<Flavor> GetFlavorAsync(string id, CancellationToken cancel) =>
        _nova.GetAsync(CloudTypes.Default.Flavor, new(HttpMethod.Get, $"/flavors/{ServiceCall.Part(id)}", $"showing the flavor {id}"), "flavor", cancel);

    /// <summary>Lists flavors, private ones among them where we may see those.</summary>
    public IAsyncEnumerable<Flavor> ListFlavorsAsync(CancellationToken cancel) =>
        _nova.ListAsync(
            CloudTypes.Default.IReadOnlyListFlavor, new(HttpMethod.Get, "/flavors/detail", "listing flavors") { Query = new Dictionary<string, string?> { ["is_public"] = "None" } }, "flavors", flavor => flavor.Id, cancel);

    /// <summary>Lists the host aggregates, all at once: Nova makes no pages of them. Needs a role that may see them, which is admin's by default.</summary>
    public Task<IReadOnlyList<HostAggregate>> ListAggregatesAsync(CancellationToken cancel) =>
        _nova.GetAsync(CloudTypes.Default.IReadOnlyListHostAggregate, new(HttpMethod.Get, "/os-aggregates", "listing host aggregates"), "aggregates", cancel);

    private static string Path(string id) => $"/servers/{ServiceCall.Part(id)}";
}

/// <summary>What Nova says of a server that it has begun to make.</summary>
internal sealed record Created(string Id);
