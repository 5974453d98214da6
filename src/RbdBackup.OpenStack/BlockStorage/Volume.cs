using System.Text.Json.Serialization;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.BlockStorage;

/// <summary>A volume as Cinder shows it.</summary>
public sealed record Volume
{
    /// <summary>Its id, a UUID.</summary>
    public required string Id { get; init; }

    /// <summary>Its name; null or empty where it has none.</summary>
    public string? Name { get; init; }

    /// <summary>Its description; null where it has none.</summary>
    public string? Description { get; init; }

    /// <summary>Such as <c>available</c>, <c>in-use</c>, <c>reserved</c>, <c>creating</c>, <c>error</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Its size in GiB.</summary>
    public required long Size { get; init; }

    /// <summary>Its project; null where we may not see it, as right after it was made.</summary>
    [JsonPropertyName("os-vol-tenant-attr:tenant_id")]
    public string? ProjectId { get; init; }

    /// <summary>Who made it.</summary>
    public string? UserId { get; init; }

    /// <summary>What its project wrote on it.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>What Nova reads of its image; null where there is nothing.</summary>
    public IReadOnlyDictionary<string, string>? VolumeImageMetadata { get; init; }

    /// <summary>True where a server may boot from it.</summary>
    [JsonConverter(typeof(TextTruthConverter))]
    public bool Bootable { get; init; }

    /// <summary>True where its data is encrypted on the way into Ceph (LUKS).</summary>
    public bool Encrypted { get; init; }

    /// <summary>Its key in the cloud's key manager; null where there is none, or where Cinder is too old to say.</summary>
    public string? EncryptionKeyId { get; init; }

    /// <summary>True where several servers may have it at once.</summary>
    public bool Multiattach { get; init; }

    /// <summary>Its type; null where it has none.</summary>
    public string? VolumeType { get; init; }

    /// <summary>Its availability zone.</summary>
    public string? AvailabilityZone { get; init; }

    /// <summary>The snapshot that it was made of; null for none.</summary>
    public string? SnapshotId { get; init; }

    /// <summary>The volume that it was made of; null for none.</summary>
    [JsonPropertyName("source_volid")]
    public string? SourceVolumeId { get; init; }

    /// <summary>Its backend, as <c>host@backend#pool</c>; null where it has none yet, or where we may not see it.</summary>
    [JsonPropertyName("os-vol-host-attr:host")]
    public string? Host { get; init; }

    /// <summary>The id that its image is named by, where a migration made that another one than its own; null where it is its own, or where we may not see it.</summary>
    [JsonPropertyName("os-vol-mig-status-attr:name_id")]
    public string? NameId { get; init; }

    /// <summary>Such as <c>migrating</c>; null for nothing.</summary>
    [JsonPropertyName("os-vol-mig-status-attr:migstat")]
    public string? MigrationStatus { get; init; }

    /// <summary>True for the far end of a migration, which looks like a volume of its own, with the other one's metadata: its image becomes the other one's, or goes.</summary>
    [JsonIgnore]
    public bool IsMigrationTarget => MigrationStatus?.StartsWith("target:", StringComparison.Ordinal) == true;

    /// <summary>The servers that have it; none where Cinder does not say.</summary>
    public IReadOnlyList<VolumeServer> Attachments { get; init => field = value ?? []; } = [];

    /// <summary>When it was made; UTC.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it last changed; UTC.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>A server that has a volume.</summary>
/// <param name="AttachmentId">Cinder's attachment.</param>
/// <param name="ServerId">The server; null for a host that attached it without one.</param>
/// <param name="Device">Such as <c>/dev/vdb</c>; null where it has none.</param>
/// <param name="HostName">The host that it is attached at; null where we may not see it.</param>
/// <param name="AttachedAt">Since when; UTC.</param>
public sealed record VolumeServer(string AttachmentId, string? ServerId = null, string? Device = null, string? HostName = null, DateTimeOffset? AttachedAt = null);
