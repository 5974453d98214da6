using System.Text.Json.Serialization;

namespace RbdBackup.OpenStack.BlockStorage;

/// <summary>A snapshot of a volume as Cinder shows it.</summary>
public sealed record VolumeSnapshot
{
    /// <summary>Its id, a UUID.</summary>
    public required string Id { get; init; }

    /// <summary>Its volume.</summary>
    public required string VolumeId { get; init; }

    /// <summary>Its name; null or empty where it has none.</summary>
    public string? Name { get; init; }

    /// <summary>Its description; null where it has none.</summary>
    public string? Description { get; init; }

    /// <summary>Such as <c>available</c>, <c>creating</c>, <c>error</c>.</summary>
    public required string Status { get; init; }

    /// <summary>The volume's size in GiB when it was made.</summary>
    public required long Size { get; init; }

    /// <summary>What its project wrote on it.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>Its project; null where we may not see it.</summary>
    [JsonPropertyName("os-extended-snapshot-attributes:project_id")]
    public string? ProjectId { get; init; }

    /// <summary>When it was made; UTC.</summary>
    public DateTimeOffset? CreatedAt { get; init; }
}
