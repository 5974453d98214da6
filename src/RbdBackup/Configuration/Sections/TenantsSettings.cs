#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>What projects may ask for with the metadata of their servers and volumes.</summary>
[Section(
    "tenants",
    "What projects may ask for with the metadata of their servers and volumes, and what they are told. It needs [keystone], with a user that may see "
        + "the servers and volumes of all projects.")]
public sealed record TenantsSettings
{
    [Option(
        "true",
        "Ask Nova and Cinder what is true and what is asked for, where [keystone] says how to log in. False where [keystone] is for the store alone: then "
            + "only notifications count, and what they say is believed.")]
    public required bool AskCloud { get; init; }

    [Option(
        "5m",
        "How often all servers and volumes are compared with what is protected. It is done at start too, and when the connection to a broker is back.",
        Min = "1s", Max = "1d")]
    public required TimeSpan ReconcileInterval { get; init; }

    [Option("false", "Tell each server that asks for backups how they went, in its metadata: backup_status.")]
    public required bool WriteStatus { get; init; }

    [Option(
        "false",
        "Take 'openstack server backup create' for a wish for a backup of ours, too: each image that Nova makes by it asks once for a backup of its server's disks. "
            + "Glance is asked for these images.")]
    public required bool ServerBackups { get; init; }

    [Option(null, "The tag that a project must have in Keystone to ask for backups (openstack project set --tag TAG PROJECT). Without it every project may.")]
    public required string? ProjectTag { get; init; }

    [Option("0", "How many points a project may have before nothing more is backed up for it; 0 for no limit.", Min = "0", Max = "100000000")]
    public required int MaxPoints { get; init; }

    [Option("0", "How many bytes the points of a project may have in the store before nothing more is backed up for it; 0 for no limit.")]
    public required long MaxStored { get; init; }

    [Option("0", "How many backups are made for a project in 24 hours; 0 for no limit.", Min = "0", Max = "100000000")]
    public required int MaxBackupsADay { get; init; }

    [Option(
        "",
        "Ceph pools of Cinder's backends, each as BACKEND=POOL, where BACKEND is the host that Cinder shows of a volume (host@backend#name), or its part "
            + "host@backend, backend#name, backend or name. A pool of [ceph:NAME] is written NAME:POOL. What is not listed is in [ceph] volumes_pool.")]
    public required IReadOnlyList<string> VolumePools { get; init; }
}
