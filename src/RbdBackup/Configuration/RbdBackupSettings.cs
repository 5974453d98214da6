namespace RbdBackup.Configuration;

/// <summary>The whole configuration, read, substituted and validated; it does not change while the process runs.</summary>
public sealed record RbdBackupSettings
{
    /// <summary>Section <c>[DEFAULT]</c>.</summary>
    public required GeneralSettings General { get; init; }

    /// <summary>Section <c>[ceph]</c>.</summary>
    public required CephSettings Ceph { get; init; }

    /// <summary>Sections <c>[ceph:NAME]</c> by name; their pools are written <c>NAME:POOL</c>.</summary>
    public IReadOnlyDictionary<string, CephSettings> Clusters { get; init; } = new Dictionary<string, CephSettings>();

    /// <summary>Section <c>[store]</c>.</summary>
    public required StoreSettings Store { get; init; }

    /// <summary>Section <c>[keystone]</c>.</summary>
    public required KeystoneSettings Keystone { get; init; }

    /// <summary>Why clouds.yaml or OS_* variables, which stand where [keystone] says nothing, can't be used; null where they can, or are not there.</summary>
    public string? KeystoneProblem { get; init; }

    /// <summary>Section <c>[repository]</c>.</summary>
    public required RepositorySettings Repository { get; init; }

    /// <summary>Section <c>[encryption]</c>.</summary>
    public required EncryptionSettings Encryption { get; init; }

    /// <summary>Section <c>[backup]</c>.</summary>
    public required BackupSettings Backup { get; init; }

    /// <summary>Section <c>[restore]</c>.</summary>
    public required RestoreSettings Restore { get; init; }

    /// <summary>Section <c>[rotation]</c>.</summary>
    public required RotationSettings Rotation { get; init; }

    /// <summary>Section <c>[jobs]</c>.</summary>
    public required JobsSettings Jobs { get; init; }

    /// <summary>Section <c>[sweep]</c>.</summary>
    public required SweepSettings Sweep { get; init; }

    /// <summary>Section <c>[notifications]</c>.</summary>
    public required NotificationsSettings Notifications { get; init; }

    /// <summary>Section <c>[tenants]</c>.</summary>
    public required TenantsSettings Tenants { get; init; }

    /// <summary>Section <c>[http]</c>.</summary>
    public required HttpSettings Http { get; init; }

    /// <summary>All clusters, the default one first.</summary>
    public IEnumerable<CephSettings> AllClusters => Clusters.Values.Prepend(Ceph);

    /// <summary>In which pools servers and volumes have their disks.</summary>
    public DiskPools Pools => new([.. AllClusters.Select(c => c.VmsPool)], [.. AllClusters.Select(c => c.VolumesPool)], Tenants.VolumePools);

    /// <summary>Which compute hosts' servers have their disks in which cluster.</summary>
    public IReadOnlyList<HostRule> HostRules => [.. AllClusters.Select(c => new HostRule(c.VmsPool, c.Hosts, c.Aggregates))];

    /// <summary>Sections <c>[policy:NAME]</c> by name, the built-in ones among them.</summary>
    public required IReadOnlyDictionary<string, PolicySettings> Policies { get; init; }
}
