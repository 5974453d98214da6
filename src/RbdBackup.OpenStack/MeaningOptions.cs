using RbdBackup.Core.Model;

namespace RbdBackup.OpenStack;

/// <summary>How a cloud names its disks' images and the metadata that tenants set.</summary>
public sealed record MeaningOptions
{
    private const string IdMark = "{id}";

    // What oslo.utils takes for false, and Python's None: everything else that a tenant may write asks for a backup.
    private static readonly HashSet<string> Refusals = new(StringComparer.OrdinalIgnoreCase) { "", "0", "f", "false", "off", "n", "no", "none" };

    /// <summary>The pool of Nova's disks (<c>images_rbd_pool</c>).</summary>
    public string ServerPool { get; init; } = "vms";

    /// <summary>Other pools with Nova's disks, and with Cinder's volumes: those of other clusters and backends.</summary>
    public IReadOnlyCollection<string> MorePools { get; init; } = [];

    /// <summary>The image of a server's root disk; <c>{id}</c> stands for the server's id.</summary>
    public string ServerImage { get; init; } = "{id}_disk";

    /// <summary>The pool of Cinder's volumes (<c>rbd_pool</c>).</summary>
    public string VolumePool { get; init; } = "volumes";

    /// <summary>The image of a volume; <c>{id}</c> stands for the volume's id (<c>volume_name_template</c>).</summary>
    public string VolumeImage { get; init; } = "volume-{id}";

    /// <summary>A Cinder snapshot's name on the image; <c>{id}</c> stands for the snapshot's id (<c>snapshot_name_template</c>).</summary>
    public string CinderSnapshot { get; init; } = "snapshot-{id}";

    /// <summary>The metadata key in which a server or volume names its policy.</summary>
    public string PolicyKey { get; init; } = "backup_policy";

    /// <summary>The metadata key whose every new value asks for a backup at once.</summary>
    public string NowKey { get; init; } = "backup_now";

    /// <summary>The metadata key in which a server is told how its backups went.</summary>
    public string StatusKey { get; init; } = "backup_status";

    /// <summary>The property with which a Cinder snapshot asks to be backed up.</summary>
    public string SnapshotKey { get; init; } = "backup";

    /// <summary>The same options with other metadata keys: <c>PREFIX_policy</c>, <c>PREFIX_now</c>, <c>PREFIX_status</c>, and <c>PREFIX</c> on a Cinder snapshot.</summary>
    public MeaningOptions WithKeyPrefix(string prefix) =>
        this with { PolicyKey = $"{prefix}_policy", NowKey = $"{prefix}_now", StatusKey = $"{prefix}_status", SnapshotKey = prefix };

    /// <summary>True where a Cinder snapshot's metadata asks for a backup of it.</summary>
    public bool AsksForSnapshot(IReadOnlyDictionary<string, string> metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return metadata.GetValueOrDefault(SnapshotKey) is { } value && !Refusals.Contains(value.Trim());
    }

    /// <summary>The disk of a server or volume whose <paramref name="id"/> is known to be a UUID.</summary>
    public DiskRef Disk(DiskKind kind, Guid id)
    {
        var (pool, template) = kind == DiskKind.Server ? (ServerPool, ServerImage) : (VolumePool, VolumeImage);
        return new DiskRef(kind, id.ToString("D"), new ImageSpec(pool, Fill(template, id)));
    }

    /// <summary>The id of the server or volume whose disk an image is by its name, root disk or another; null where it is none's.</summary>
    public string? IdOf(DiskKind kind, ImageSpec image)
    {
        var (pool, template) = kind == DiskKind.Server ? (ServerPool, ServerImage) : (VolumePool, VolumeImage);
        var at = template.IndexOf(IdMark, StringComparison.Ordinal);
        return (image.Pool == pool || MorePools.Contains(image.Pool)) && image.Name.Length >= at + 36 && Guid.TryParseExact(image.Name.AsSpan(at, 36), "D", out var id)
            && Fill(template, id) is var name && (image.Name == name || (kind == DiskKind.Server && image.Name.StartsWith($"{name}.", StringComparison.Ordinal)))
            ? id.ToString("D")
            : null;
    }

    /// <summary>A Cinder snapshot's name on the image.</summary>
    public string SnapshotName(Guid id) => Fill(CinderSnapshot, id);

    private static string Fill(string template, Guid id) => template.Replace(IdMark, id.ToString("D"), StringComparison.Ordinal);
}
