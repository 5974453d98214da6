namespace RbdBackup.OpenStack;

/// <summary>
/// A server or volume that a notification speaks of, for a worker that asks Nova or Cinder what is true of it. What the message says only tells whether
/// asking is worth it.
/// </summary>
/// <param name="Kind">Server or volume.</param>
/// <param name="Id">Its id; a UUID in its usual form, lower case.</param>
/// <param name="Policy">What the message says of the policy's key; null for nothing.</param>
/// <param name="Now">What the message says of the key that asks for a backup at once; null for nothing.</param>
/// <param name="DisksMayDiffer">True where its disks, or whether it is there, may be other than before; or where its metadata could not be read.</param>
/// <param name="Origin">Where it came from.</param>
public sealed record Mention(DiskKind Kind, string Id, string? Policy, string? Now, bool DisksMayDiffer, EventOrigin Origin)
{
    /// <summary>True where Nova has made an image of the server.</summary>
    public bool HasNewImage { get; init; }

    /// <summary>Actions of Nova's, each with what follows it (<c>volume.attach</c>, <c>volume_attach.end</c>), after which a server may have other disks.</summary>
    private static readonly string[] ServerChanges =
        ["create", "delete", "force_delete", "soft_delete", "restore", "rebuild", "resize", "finish_resize", "shelve", "unshelve", "volume", "evacuate", "live_migration"];

    private static readonly string[] VolumeChanges =
        ["volume.create.", "volume.delete.", "volume.attach.", "volume.detach.", "volume.resize.", "volume.transfer.", "volume.retype", "volume.revert.", "volume.manage"];

    /// <summary>What a notification speaks of; null for nothing that is worth asking about.</summary>
    public static Mention? Of(Notification notification, MeaningOptions options)
    {
        ArgumentNullException.ThrowIfNull(notification);
        ArgumentNullException.ThrowIfNull(options);
        try
        {
            return notification.Format switch
            {
                NotificationFormat.NovaLegacy => OfServer(notification, "instance_id", notification.EventType["compute.instance.".Length..], options),
                NotificationFormat.NovaVersioned => OfServer(notification, "uuid", notification.EventType["instance.".Length..], options),
                NotificationFormat.Cinder when notification.EventType.StartsWith("volume.", StringComparison.Ordinal) => OfVolume(notification, options),
                _ => null,
            };
        }
        catch (InvalidOperationException)
        {
            // Text that is not Unicode: nothing that Nova or Cinder sends.
            return null;
        }
    }

    private static Mention? OfServer(Notification n, string idMember, string action, MeaningOptions options)
    {
        var changes = ServerChanges.Any(c => action.StartsWith(c, StringComparison.Ordinal));
        var hasNewImage = action == "snapshot.end";
        return NotificationMeaning.Uuid(n.Payload, idMember) is not { } id || IsUnfinished(action) || (!changes && !hasNewImage && NovaMeaning.IsAtWork(n))
            ? null
            : With(n, DiskKind.Server, id, changes, ServerMetadata.TryRead(n.Payload, out var metadata) ? metadata : null, options) with { HasNewImage = hasNewImage };
    }

    private static Mention? OfVolume(Notification n, MeaningOptions options) =>
        NotificationMeaning.Uuid(n.Payload, "volume_id") is not { } id || IsUnfinished(n.EventType)
            ? null
            : With(
                n, DiskKind.Volume, id, VolumeChanges.Any(c => n.EventType.StartsWith(c, StringComparison.Ordinal)),
                VolumeMetadata.TryRead(n.Payload, out var metadata) ? metadata : null, options);

    private static Mention With(Notification n, DiskKind kind, Guid id, bool changes, IReadOnlyDictionary<string, string>? metadata, MeaningOptions options) => new(
        kind, id.ToString("D"), metadata?.GetValueOrDefault(options.PolicyKey), metadata?.GetValueOrDefault(options.NowKey), changes || metadata is null,
        NotificationMeaning.Origin(n));

    private static bool IsUnfinished(string action) => action.EndsWith(".start", StringComparison.Ordinal) || action.EndsWith(".error", StringComparison.Ordinal);
}
