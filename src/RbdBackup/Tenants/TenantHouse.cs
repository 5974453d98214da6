using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;
using RbdBackup.Messaging;
using RbdBackup.OpenStack;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.Servers;
using RbdBackup.Worker;

namespace RbdBackup.Tenants;

/// <summary>The part of a worker that asks Nova and Cinder what tenants want.</summary>
internal sealed partial class TenantHouse
{
    private readonly ProjectGate _gate;
    private readonly StatusWriter? _status;
    private readonly CloudReconciler _reconciler;
    private readonly TenantIntake _intake;
    private readonly ILogger _log;

    /// <summary>Builds it; nothing is sent yet.</summary>
    public TenantHouse(
        OpenStackCloud cloud, RbdBackupSettings settings, IImageCluster cluster, IStateStore state, ServerPools serverPools, MeaningOptions words,
        Func<BackupRequest, CancellationToken, Task> ask, Func<ServerRequest, CancellationToken, Task> askServer, ILoggerFactory loggers, TimeProvider time)
    {
        _log = loggers.CreateLogger<TenantHouse>();
        _gate = new ProjectGate(cloud.Identity, settings.Tenants, time);
        var (members, records) = (new Members(state), new TenantRecords(state, time));
        var planner = new CoveragePlanner(words, settings.Policies, settings.Pools);
        var live = new LiveView(cloud, cluster, serverPools);
        _status = settings.Tenants.WriteStatus ? new StatusWriter(cloud.Compute, words, members, records, time, loggers.CreateLogger<StatusWriter>()) : null;
        var keeper = new TenantKeeper(
            planner, words, settings.Policies, live, members, records, _gate, ask, askServer, id => _status?.Changed(id), time, loggers.CreateLogger<TenantKeeper>());
        var images = settings.Tenants.ServerBackups ? new ServerImages(cloud.Images, state, time) : null;
        _reconciler = new CloudReconciler(
            cloud, cluster, state, planner, words, live, serverPools, members, records, keeper, images, settings.Tenants.ReconcileInterval, time, loggers.CreateLogger<CloudReconciler>());
        _intake = new TenantIntake(words, members, records, keeper, images, _reconciler.Wake, loggers.CreateLogger<TenantIntake>());
    }

    /// <summary>Handles one notification.</summary>
    public Task HandleAsync(NotificationDelivery delivery, CancellationToken stop) => _intake.HandleAsync(delivery, stop);

    /// <summary>What runs all the time.</summary>
    /// <param name="links">How the links to the brokers are.</param>
    public IEnumerable<Func<CancellationToken, Task>> Parts(Func<IEnumerable<LinkStatus>> links) =>
        _status is null ? [t => _reconciler.RunAsync(links, t)] : [t => _reconciler.RunAsync(links, t), _status.RunAsync];

    /// <summary>Takes the repository's points, for the limits of projects.</summary>
    public void Saw(IEnumerable<Manifest> points, DateTimeOffset from) => _gate.Saw(points, from);

    /// <summary>True where a scheduled backup may be asked for; else its project is told why not.</summary>
    public async Task<bool> MayAskAsync(ImageSpec image, string? project, CancellationToken cancel)
    {
        if (project is null || await _gate.WhyNoMoreAsync(project, cancel) is not { } why)
        {
            return true;
        }

        LogRefused(image, project, why);
        _status?.Refused(image, why);
        return false;
    }

    /// <summary>A backup was committed.</summary>
    public void Ended(Manifest point) => _status?.Ended(point);

    /// <summary>A backup failed.</summary>
    public void Failed(ImageSpec image, ErrorKind kind) => _status?.Failed(image, kind);

    [LoggerMessage(4110, LogLevel.Warning, "the scheduled backup of {Image} is refused to project {Project}: {Why}")]
    private partial void LogRefused(ImageSpec image, string project, string why);
}
