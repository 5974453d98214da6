using System.Text.Json.Nodes;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.BlockStorage;

/// <summary>Cinder's volumes and snapshots. Every call may fail with <see cref="ErrorKind.Busy"/> where the volume's state does not allow it now.</summary>
public sealed partial class BlockStorageClient
{
    private readonly ServiceClient _cinder;

    internal BlockStorageClient(CloudSession session) => _cinder = new ServiceClient(session, ServiceKind.Cinder);

    /// <summary>Shows a volume.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/> where there is none, or none that we may see.</exception>
    public Task<Volume> GetVolumeAsync(string id, CancellationToken cancel) =>
        _cinder.GetAsync(CloudTypes.Default.Volume, new(HttpMethod.Get, Path(id), $"showing the volume {id}"), "volume", cancel);

    /// <summary>Lists volumes, the newest first, page by page; without those that are only the far end of a migration.</summary>
    /// <param name="filter">Which ones.</param>
    /// <param name="cancel">Ends the listing.</param>
    public IAsyncEnumerable<Volume> ListVolumesAsync(VolumeFilter filter, CancellationToken cancel) =>
        _cinder.ListAsync(
            CloudTypes.Default.IReadOnlyListVolume, new(HttpMethod.Get, "/volumes/detail", "listing volumes") { Query = QueryOf(filter.AllProjects, ("project_id", filter.ProjectId), ("name", filter.Name)) },
            "volumes",
            volume => volume.Id,
            cancel).Where(volume => !volume.IsMigrationTarget);

    /// <summary>Sets metadata; keys that are not named stay.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/> for a key or a value that Cinder does not take.</exception>
    public Task SetMetadataAsync(string id, IReadOnlyDictionary<string, string> metadata, CancellationToken cancel) =>
        _cinder.DoAsync(
            new(HttpMethod.Post, $"{Path(id)}/metadata", $"setting metadata of the volume {id}")
            {
                Body = new() { ["metadata"] = CloudJson.Of(metadata) },
                IsRepeatable = true,
            },
            cancel);

    /// <summary>Deletes a key of the metadata; it may be gone already, and so may the volume.</summary>
    public Task DeleteMetadataAsync(string id, string key, CancellationToken cancel) =>
        _cinder.RemoveAsync(new(HttpMethod.Delete, $"{Path(id)}/metadata/{ServiceCall.Part(key)}", $"deleting the metadata key '{key}' of the volume {id}"), cancel);

    /// <summary>Makes a volume; it is there a while after Cinder's answer.</summary>
    /// <returns>The volume as it begins, in status <c>creating</c>.</returns>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NoSpace"/> where the project's quota does not allow it.</exception>
    public Task<Volume> CreateVolumeAsync(NewVolume volume, CancellationToken cancel) =>
        _cinder.GetAsync(CloudTypes.Default.Volume, new(HttpMethod.Post, "/volumes", $"making the volume '{volume.Name}'") { Body = new() { ["volume"] = volume.ToJson() } }, "volume", cancel);

    /// <summary>Deletes a volume; it is gone a while after Cinder's answer. It may be gone already.</summary>
    public Task DeleteVolumeAsync(string id, CancellationToken cancel) => _cinder.RemoveAsync(new(HttpMethod.Delete, Path(id), $"deleting the volume {id}"), cancel);

    /// <summary>Says whether a server may boot from it.</summary>
    public Task SetBootableAsync(string id, bool bootable, CancellationToken cancel) =>
        ActAsync(id, "os-set_bootable", new JsonObject { ["bootable"] = bootable }, "setting bootable of", cancel);

    /// <summary>Sets what Nova reads of an image: <c>hw_disk_bus</c>, <c>os_type</c> and the like. Keys that are not named stay.</summary>
    public Task SetImageMetadataAsync(string id, IReadOnlyDictionary<string, string> metadata, CancellationToken cancel) =>
        ActAsync(id, "os-set_image_metadata", new JsonObject { ["metadata"] = CloudJson.Of(metadata) }, "setting image metadata of", cancel);

    /// <summary>Shows a snapshot.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/> where there is none, or none that we may see.</exception>
    public Task<VolumeSnapshot> GetSnapshotAsync(string id, CancellationToken cancel) =>
        _cinder.GetAsync(CloudTypes.Default.VolumeSnapshot, new(HttpMethod.Get, $"/snapshots/{ServiceCall.Part(id)}", $"showing the snapshot {id}"), "snapshot", cancel);

    /// <summary>Lists snapshots, the newest first, page by page.</summary>
    /// <param name="filter">Which ones.</param>
    /// <param name="cancel">Ends the listing.</param>
    public IAsyncEnumerable<VolumeSnapshot> ListSnapshotsAsync(SnapshotFilter filter, CancellationToken cancel) =>
        _cinder.ListAsync(
            CloudTypes.Default.IReadOnlyListVolumeSnapshot, new(HttpMethod.Get, "/snapshots/detail", "listing snapshots")
            {
                Query = QueryOf(filter.AllProjects, ("project_id", filter.ProjectId), ("volume_id", filter.VolumeId)),
            },
            "snapshots",
            snapshot => snapshot.Id,
            cancel);

    private static string Path(string id) => $"/volumes/{ServiceCall.Part(id)}";

    private static Dictionary<string, string?> QueryOf(bool allProjects, params ReadOnlySpan<(string Name, string? Value)> filters)
    {
        var query = new Dictionary<string, string?> { ["all_tenants"] = allProjects ? "1" : null };
        foreach (var (name, value) in filters)
        {
            query[name] = value;
        }
        return query;
    }

    /// <summary>An action that sets something: twice is as once.</summary>
    private Task ActAsync(string id, string action, JsonObject with, string doing, CancellationToken cancel) =>
        _cinder.DoAsync(new(HttpMethod.Post, $"{Path(id)}/action", $"{doing} the volume {id}") { Body = new() { [action] = with }, IsRepeatable = true }, cancel);
}
