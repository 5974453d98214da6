using System.Text.Json.Nodes;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.BlockStorage;

public sealed partial class BlockStorageClient
{
    /// <summary>Attaches a volume by Cinder's own interface: without a connector it is only held (<c>reserved</c>), so that nobody else attaches, deletes or changes it.</summary>
    /// <param name="volumeId">The volume; it has to be available, or multiattach.</param>
    /// <param name="serverId">The server that it is for; null for none.</param>
    /// <param name="connector">Who connects (<c>host</c>, <c>ip</c>, <c>mountpoint</c> …); null to hold the volume only.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Busy"/> where the volume is not available.</exception>
    public Task<Attachment> CreateAttachmentAsync(string volumeId, string? serverId, JsonObject? connector, CancellationToken cancel)
    {
        var attachment = new JsonObject { ["volume_uuid"] = volumeId, ["connector"] = connector?.DeepClone() };
        if (serverId is not null)
        {
            attachment["instance_uuid"] = serverId;
        }
        return _cinder.GetAsync(
            CloudTypes.Default.Attachment, new(HttpMethod.Post, "/attachments", $"attaching the volume {volumeId}") { Body = new() { ["attachment"] = attachment } }, "attachment", cancel);
    }

    /// <summary>Shows an attachment.</summary>
    public Task<Attachment> GetAttachmentAsync(string id, CancellationToken cancel) =>
        _cinder.GetAsync(CloudTypes.Default.Attachment, new(HttpMethod.Get, AttachmentPath(id), $"showing the attachment {id}"), "attachment", cancel);

    /// <summary>Says who connects.</summary>
    public Task<Attachment> UpdateAttachmentAsync(string id, JsonObject connector, CancellationToken cancel) =>
        _cinder.GetAsync(
            CloudTypes.Default.Attachment, new(HttpMethod.Put, AttachmentPath(id), $"updating the attachment {id}") { Body = new() { ["attachment"] = new JsonObject { ["connector"] = connector.DeepClone() } } },
            "attachment",
            cancel);

    /// <summary>Says that it is connected: the volume is then in use.</summary>
    public Task CompleteAttachmentAsync(string id, CancellationToken cancel) =>
        _cinder.DoAsync(new(HttpMethod.Post, $"{AttachmentPath(id)}/action", $"completing the attachment {id}") { Body = new() { ["os-complete"] = new JsonObject() } }, cancel);

    /// <summary>Ends an attachment: the volume is available again, if it was the last one. It may be gone already.</summary>
    public Task DeleteAttachmentAsync(string id, CancellationToken cancel) =>
        _cinder.RemoveAsync(new(HttpMethod.Delete, AttachmentPath(id), $"deleting the attachment {id}"), cancel);

    private static string AttachmentPath(string id) => $"/attachments/{ServiceCall.Part(id)}";
}
