namespace RbdBackup.OpenStack.BlockStorage;

public sealed partial class BlockStorageClient
{
    /// <summary>Lists a volume's attachments, those that only hold it among them, whoever's they are.</summary>
    public IAsyncEnumerable<Attachment> ListAttachmentsAsync(string volumeId, CancellationToken cancel) =>
        _cinder.ListAsync(
            CloudTypes.Default.IReadOnlyListAttachment, new(HttpMethod.Get, "/attachments/detail", $"listing the attachments of the volume {volumeId}") { Query = QueryOf(true, ("volume_id", volumeId)) },
            "attachments",
            attachment => attachment.Id,
            cancel);
}
