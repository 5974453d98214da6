using Microsoft.Extensions.Logging;
using RbdBackup.Composition;
using RbdBackup.Configuration;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>Makes server points: what the cloud tells of a server, and what Core makes of it.</summary>
internal sealed class ServerBackups(
    RbdBackupSettings settings, OpenStackCloud cloud, IImageCluster cluster, IStateStore state, PointRepository repository, BackupRunner backups,
    RestoreRunner restores, ServerPools serverPools, ILoggerFactory loggers, TimeProvider time)
{
    private readonly LibvirtGuest? _libvirt = settings.Backup.LibvirtUri is { } uri ? new LibvirtGuest(uri) : null;

    /// <summary>Gives back what dead runs did to servers.</summary>
    public ServerHolds Holds => new(cloud, cluster, state, _libvirt, new HalfMadeServers(cloud, cluster, restores, settings.Pools, serverPools, time), settings.Ceph.LeaseDuration, time, loggers.CreateLogger<ServerHolds>());

    /// <summary>The consistency that is wanted: what was said, else the policy's, else crash.</summary>
    /// <exception cref="RbdBackupException">Usage: frozen needs the hypervisors.</exception>
    public Consistency ConsistencyOf(string? said, string? policy)
    {
        var wanted = Enum.Parse<Consistency>(said ?? (policy is null ? null : settings.Policies.GetValueOrDefault(policy)?.Consistency) ?? "crash", ignoreCase: true);
        return wanted != Consistency.Frozen || _libvirt is not null
            ? wanted
            : throw new RbdBackupException(ErrorKind.Usage, "consistency frozen needs [backup] libvirt_uri", "Set it, or choose paused.");
    }

    /// <summary>Makes a server point.</summary>
    /// <param name="server">The server, as Nova just showed it.</param>
    /// <param name="wanted">How consistent.</param>
    /// <param name="full">True: fulls, whatever bases there are.</param>
    /// <param name="policy">The policy that asks; null where none does.</param>
    /// <param name="cycleDays">After how many days a full is due; null: never.</param>
    /// <param name="askedBy">Who asks; the project is the server's.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends it; nothing is left.</param>
    /// <param name="held">The lease of the server, where the caller has it, and the id that the point shall have.</param>
    public async Task<ServerPoint> RunAsync(
        Server server, Consistency wanted, bool full, string? policy, int? cycleDays, AskedBy askedBy, IProgressReporter progress, CancellationToken cancel,
        (ILease Lease, PointId Point)? held = null)
    {
        var lookup = new ServerLookup(cloud, cluster, settings.Pools, serverPools, _libvirt);
        var sight = await lookup.LookAsync(server, cancel);
        var (disks, skipped) = ServerDiskPlanner.Plan(sight, $"{settings.Notifications.MetadataPrefix}policy");
        var ask = new ServerBackupAsk(
            server.Id, server.ProjectId, server.Name, disks, skipped, await lookup.DescribeAsync(sight, cancel), full, policy, cycleDays, askedBy with { Project = server.ProjectId })
        { Point = held?.Point };
        var moment = new ServerMoment(cloud, Holds, _libvirt, server.Id, wanted, settings.Backup.HoldLimit, Services.Holder, time);
        var runner = new ServerBackupRunner(backups, state, repository, Services.Tool, time, loggers.CreateLogger<ServerBackupRunner>());
        return await (held is { } h ? runner.RunAsync(ask, h.Lease, moment, progress, cancel) : runner.RunAsync(ask, moment, progress, cancel));
    }
}
