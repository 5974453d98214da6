#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>The cluster that holds the images.</summary>
[Section("ceph", "The cluster that holds the images, and how to talk to it. Where there are several it is the default one; the others are [ceph:NAME].")]
public sealed record CephSettings
{
    /// <summary>Its name, of <c>[ceph:NAME]</c>; null for the default one.</summary>
    public string? Name { get; init; }

    [Option("/etc/ceph/ceph.conf", "The cluster's configuration file. Keyrings are found as every Ceph client finds them.")]
    public required string Conf { get; init; }

    [Option("ceph", "The cluster's name, as in the file names below /etc/ceph.")]
    public required string Cluster { get; init; }

    [Option("client.rbdbackup", "The cephx user that backs up. It needs no right to blocklist, and should have none.")]
    public required string User { get; init; }

    [Option("client.rbdbackup-restore", "The cephx user that restores: it may rename and remove images.")]
    public required string RestoreUser { get; init; }

    [Option("rbdbackup", "The pool for leases and job records.")]
    public required string StatePool { get; init; }

    [Option("rbdbackup", "The RADOS namespace in state_pool.")]
    public required string StateNamespace { get; init; }

    [Option(
        "30s",
        "How long a call may wait for the owner of an image's lock. Past it the attempt fails and is tried again; the owner's lock is "
            + "never broken.",
        Min = "1s", Max = "1h")]
    public required TimeSpan CallDeadline { get; init; }

    [Option("60s", "How long a lease outlives a process that died.", Min = "5s", Max = "1h")]
    public required TimeSpan LeaseDuration { get; init; }

    [Option("vms", "The pool of Nova's disks (server ID means <id>_disk in it).")]
    public required string VmsPool { get; init; }

    [Option("volumes", "The pool of Cinder's volumes (volume ID means volume-<id> in it).")]
    public required string VolumesPool { get; init; }

    [Option("", "Where there are several clusters: compute hosts, as Nova names them, whose servers have their disks in this one; * and ? stand for any characters.")]
    public required IReadOnlyList<string> Hosts { get; init; }

    [Option("", "The same by Nova's host aggregates, by name. A server whose host is named nowhere has its disks where they are found.")]
    public required IReadOnlyList<string> Aggregates { get; init; }

    [Option(
        "rbdbackup.{point}",
        "The name of snapshots on images that are no Cinder volumes. {point} is the point's id and must be in it; {time} is seconds "
            + "since 1970.")]
    public required string SnapshotName { get; init; }

    [Option(
        "backup.{point}.snap.{time}",
        "The name of snapshots on Cinder volumes. Cinder removes snapshots of the form backup.ID.snap.TIME, with an ID of a-z, 0-9 and -, by itself "
            + "when it deletes a volume; one with any other it refuses to delete, or keeps in the trash.")]
    public required string VolumeSnapshotName { get; init; }
}
