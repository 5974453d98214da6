using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.Servers;

namespace RbdBackup.Composition;

/// <summary>What works on whole servers: the cloud, one cluster, its state and the repository, opened together.</summary>
internal sealed class ServerServices : IAsyncDisposable
{
    private readonly RbdBackupSettings _settings;
    private readonly ILoggerFactory _loggers;
    private readonly TimeProvider _time;
    private readonly Services _services;
    private readonly CephClusters _cluster;
    private readonly IStateStore _state;
    private readonly ServerPools _pools;

    private ServerServices(RbdBackupSettings settings, ILoggerFactory loggers, TimeProvider time, Services services, OpenStackCloud cloud, PointRepository repository, CephClusters cluster) =>
        (_settings, _loggers, _time, _services, Cloud, Repository, _cluster, _state, _pools) =
            (settings, loggers, time, services, cloud, repository, cluster, Services.OpenState(cluster), new ServerPools(settings, cloud.Compute, loggers.CreateLogger<ServerPools>(), time));

    /// <summary>The cloud.</summary>
    public OpenStackCloud Cloud { get; }

    /// <summary>The repository.</summary>
    public PointRepository Repository { get; }

    /// <summary>Makes server points.</summary>
    public ServerBackups Backups => BackupsOf(_settings, Cloud, _cluster, _state, Repository, _services, _services.Throttle(), _pools, _loggers, _time);

    /// <summary>Restores onto servers.</summary>
    public ServerRestores Restores =>
        new(Cloud, _cluster, _state, Backups.Holds, _services.Restore(_cluster, _state, Repository), _pools, _loggers, _time);

    /// <summary>Makes new servers.</summary>
    public NewServerRestore NewServers => new(
        _settings, Cloud, _cluster, _state, Repository, Backups.Holds, Restores, _services.Restore(_cluster, _state, Repository), _pools, _loggers.CreateLogger<NewServerRestore>(), _time);

    /// <summary>Opens all of them.</summary>
    /// <param name="context">The command.</param>
    /// <param name="restore">True: as the cephx user that restores, in a repository that is there.</param>
    /// <param name="project">The project that is logged in to; null: as configured.</param>
    /// <param name="cancel">Ends the wait.</param>
    public static async Task<ServerServices> OpenAsync(Cli.CommandContext context, bool restore, string? project, CancellationToken cancel)
    {
        var (settings, services) = (context.Settings, Services.Of(context));
        var cloud = CloudAccess.Open(project is null ? settings : settings with { Keystone = InProject(settings.Keystone, project) }, context.Loggers.CreateLogger("RbdBackup.OpenStack"));
        PointRepository? repository = null;
        try
        {
            repository = await services.OpenRepositoryAsync(create: !restore, cancel);
            var cluster = await (restore ? services.ConnectToRestoreAsync(cancel) : services.ConnectAsync(cancel));
            return new ServerServices(settings, context.Loggers, context.Time, services, cloud, repository, cluster);
        }
        catch
        {
            await (repository?.DisposeAsync() ?? ValueTask.CompletedTask);
            cloud.Dispose();
            throw;
        }
    }

    /// <summary>Makes server points with what is open already.</summary>
    public static ServerBackups BackupsOf(
        RbdBackupSettings settings, OpenStackCloud cloud, IImageCluster cluster, IStateStore state, PointRepository repository, Services services, IThrottle throttle,
        ServerPools serverPools, ILoggerFactory loggers, TimeProvider time, IDiskActivity? activity = null) =>
        new(settings, cloud, cluster, state, repository, services.Backup(cluster, state, repository, throttle, activity), services.Restore(cluster, state, repository), serverPools, loggers, time);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _state.DisposeAsync();
        await _cluster.DisposeAsync();
        await Repository.DisposeAsync();
        Cloud.Dispose();
    }

    /// <summary>Ids of projects have 32 digits; all else is a name.</summary>
    private static KeystoneSettings InProject(KeystoneSettings keystone, string project) =>
        project.Length == 32 && project.All(char.IsAsciiHexDigit)
            ? keystone with { ProjectId = project, ProjectName = null }
            : keystone with { ProjectId = null, ProjectName = project };
}
