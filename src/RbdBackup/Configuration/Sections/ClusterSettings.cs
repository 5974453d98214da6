#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>A further cluster.</summary>
[Section(
    "ceph",
    "A further Ceph cluster; the one of [ceph] is the default. Everywhere a pool is named, in this file and in commands, NAME:POOL is a pool of this one, and "
        + "NAME:POOL/IMAGE an image. NAME has letters, digits, - and _. It is part of what points call their disks: with another one, the next backups are fulls.",
    Named = true)]
public sealed record ClusterSettings
{
    [Option(null, "The cluster's configuration file. Without it, /etc/ceph/NAME.conf.")]
    public required string? Conf { get; init; }

    [Option(null, "The cluster's name, as in the file names below /etc/ceph. Without it, NAME.")]
    public required string? Cluster { get; init; }

    [Option("${ceph.user}", "The cephx user that backs up.")]
    public required string User { get; init; }

    [Option("${ceph.restore_user}", "The cephx user that restores.")]
    public required string RestoreUser { get; init; }

    [Option("${ceph.state_pool}", "The pool for the leases and job records of this cluster's images.")]
    public required string StatePool { get; init; }

    [Option("${ceph.state_namespace}", "The RADOS namespace in state_pool.")]
    public required string StateNamespace { get; init; }

    [Option("${ceph.call_deadline}", "How long a call may wait for the owner of an image's lock.", Min = "1s", Max = "1h")]
    public required TimeSpan CallDeadline { get; init; }

    [Option("${ceph.lease_duration}", "How long a lease outlives a process that died.", Min = "5s", Max = "1h")]
    public required TimeSpan LeaseDuration { get; init; }

    [Option("${ceph.vms_pool}", "The pool of Nova's disks. In which cluster a server's disks are, hosts and aggregates say; where they say nothing, it is found by looking into this pool of each.")]
    public required string VmsPool { get; init; }

    [Option("", "Compute hosts, as Nova names them, whose servers have their disks in this cluster; * and ? stand for any characters.")]
    public required IReadOnlyList<string> Hosts { get; init; }

    [Option("", "The same by Nova's host aggregates, by name.")]
    public required IReadOnlyList<string> Aggregates { get; init; }

    [Option("${ceph.volumes_pool}", "The pool of Cinder's volumes. Which volumes are in it, [tenants] volume_pools says.")]
    public required string VolumesPool { get; init; }

    /// <summary>The same as the settings of a cluster, with what is said of the default one alone.</summary>
    public CephSettings Over(CephSettings usual, string name) => usual with
    {
        Name = name,
        Conf = Conf ?? $"/etc/ceph/{name}.conf",
        Cluster = Cluster ?? name,
        User = User,
        RestoreUser = RestoreUser,
        StatePool = StatePool,
        StateNamespace = StateNamespace,
        CallDeadline = CallDeadline,
        LeaseDuration = LeaseDuration,
        VmsPool = $"{name}:{VmsPool}",
        Hosts = Hosts,
        Aggregates = Aggregates,
        VolumesPool = $"{name}:{VolumesPool}",
    };
}
