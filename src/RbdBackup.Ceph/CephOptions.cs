namespace RbdBackup.Ceph;

/// <summary>How a cluster is reached.</summary>
public sealed record CephOptions
{
    /// <summary>The path of ceph.conf; null searches the usual places (<c>/etc/ceph/&lt;cluster&gt;.conf</c>). It also says where the
    /// user's keyring is.</summary>
    public string? ConfFile { get; init; }

    /// <summary>The cephx user, with its type: <c>client.rbdbackup</c>.</summary>
    public string User { get; init; } = "client.rbdbackup";

    /// <summary>The cluster's name, <c>$cluster</c> in ceph.conf.</summary>
    public string ClusterName { get; init; } = "ceph";

    /// <summary>What the program calls it, where it is one of several: callers write its pools <c>NAME:POOL</c>, and so do errors. Null for the only or
    /// default one.</summary>
    public string? Name { get; init; }

    /// <summary>How long the first answer of a monitor may take.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a caller waits for a call that a stalled lock owner can hold up, or, in a long call, for its next
    /// progress.</summary>
    public TimeSpan CallDeadline { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>After how long an operation that no OSD answers fails, reads and writes included. Long: a recovering cluster is slow, not
    /// gone.</summary>
    public TimeSpan OsdOperationTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Told of a read, a write or a flush that nobody answered for <see cref="SlowAfter"/>, and again until it ends: the call, its image and the seconds. Of
    /// many at a time it is told of one. Null: nobody is told.</summary>
    public Action<string, string, double>? OnSlow { get; init; }

    /// <summary>After how long, and how often then, <see cref="OnSlow"/> is told.</summary>
    public TimeSpan SlowAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The clock of deadlines and leases.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
