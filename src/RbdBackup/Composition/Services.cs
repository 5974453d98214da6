using Microsoft.Extensions.Logging;
using RbdBackup.Cli;
using RbdBackup.Configuration;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Compact;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Copy;
using RbdBackup.Core.Import;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Release;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Sealing;
using RbdBackup.Core.Verify;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.Stores;
using RbdBackup.Zstd;

namespace RbdBackup.Composition;

/// <summary>Builds what commands and the worker work with, from the settings: the one place where ports meet adapters.</summary>
internal sealed class Services(RbdBackupSettings settings, ILoggerFactory loggers, TimeProvider time)
{
    /// <summary>The services of a command.</summary>
    public static Services Of(CommandContext context) => new(context.Settings, context.Loggers, context.Time);

    /// <summary>The program and its version, as manifests name it.</summary>
    public static string Tool { get; } = $"rbdbackup {typeof(Services).Assembly.GetName().Version?.ToString(3)}";

    /// <summary>This host and process, as leases and job records name it.</summary>
    public static string Holder { get; } = $"{Environment.MachineName}/{Environment.ProcessId}";

    /// <summary>Opens the repository in the configured store.</summary>
    /// <param name="create">True: makes an empty one where there is none.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async Task<PointRepository> OpenRepositoryAsync(bool create, CancellationToken cancel)
    {
        var codec = CodecFactory.Create(settings.Repository.Compression.ToString());
        return await PointRepository.OpenAsync(OpenStore(null), codec, time, await ReadSecretAsync(cancel), create, cancel);
    }

    /// <summary>What opens the repository, or seals a new one; null where no key is configured.</summary>
    public Task<RepositorySecret?> ReadSecretAsync(CancellationToken cancel) => KeySource.Of(settings.Encryption).ReadAsync(cancel);

    /// <summary>The same by another site's settings.</summary>
    public Services With(RbdBackupSettings other) => new(other, loggers, time);

    /// <summary>Copies points to another site.</summary>
    public CopyRunner Copy(PointRepository source, PointRepository target) => new(source, target, settings.Repository.Uploads);

    /// <summary>Connects to the clusters as the user that backs up.</summary>
    public Task<CephClusters> ConnectAsync(CancellationToken cancel) => ConnectAsync(c => c.User, cancel);

    /// <summary>Connects to the clusters as the user that restores.</summary>
    public Task<CephClusters> ConnectToRestoreAsync(CancellationToken cancel) => ConnectAsync(c => c.RestoreUser, cancel);

    /// <summary>Leases and records in the clusters.</summary>
    public static IStateStore OpenState(CephClusters clusters) => new ClusterStates(clusters);

    /// <summary>What holds reads back; shared by all jobs of a process.</summary>
    public IThrottle Throttle() => new Throttle(settings.Backup.Throttle.BytesPerSecond, time);

    /// <summary>Makes restore points.</summary>
    public BackupRunner Backup(IImageCluster cluster, IStateStore state, PointRepository repository, IThrottle throttle, IDiskActivity? cloud = null) =>
        new(cluster, state, repository, BackupOptions, throttle, time, loggers.CreateLogger<BackupRunner>(), cloud);

    /// <summary>Gives restore points back.</summary>
    public RestoreRunner Restore(IImageCluster cluster, IStateStore state, PointRepository repository) =>
        new(cluster, state, repository, RestoreOptions, time, loggers.CreateLogger<RestoreRunner>());

    /// <summary>Gives restore points back into images that are there.</summary>
    public InPlaceRunner RestoreInPlace(IImageCluster cluster, IStateStore state, PointRepository repository) =>
        new(cluster, state, repository, RestoreOptions, time, loggers.CreateLogger<InPlaceRunner>());

    /// <summary>Drops the points that no policy keeps.</summary>
    public RotateRunner Rotate(PointRepository repository) =>
        new(repository, Remover(repository), Retention.RuleOf, settings.Jobs.Deadline, time);

    /// <summary>Verifies restore points; <paramref name="cluster"/> and <paramref name="state"/> where images are looked at.</summary>
    public VerifyRunner Verify(PointRepository repository, IImageCluster? cluster, IStateStore? state) =>
        new(repository, cluster, state, new VerifyOptions(settings.Restore.WritesInFlight, Tool), Throttle(), time);

    /// <summary>Makes points independent of those that they stand on.</summary>
    public static Consolidator Consolidate(PointRepository repository) => new(repository);

    /// <summary>Removes points that are named.</summary>
    public static PruneRunner Prune(PointRepository repository) => new(repository, Remover(repository));

    /// <summary>Makes points of files.</summary>
    public ImportRunner Import(PointRepository repository) =>
        new(repository, new ImportOptions(BackupOptions.Cut, settings.Repository.Uploads, settings.Repository.PlanExtents, settings.Jobs.Deadline, Tool));

    /// <summary>Writes again what is still shown of segments that are mostly dead.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="percent">The share below which that is; null: as configured.</param>
    public CompactRunner Compact(PointRepository repository, int? percent) =>
        new(repository, new CompactOptions((percent ?? settings.Rotation.CompactBelow) / 100.0, BackupOptions.Cut, settings.Jobs.Deadline));

    /// <summary>Collects what no point refers to.</summary>
    public GarbageCollector Collect(PointRepository repository) =>
        new(repository, new GarbageOptions(settings.Rotation.Grace, settings.Jobs.Deadline, settings.Jobs.KeepFinished), time);

    /// <summary>How our snapshots are called.</summary>
    public SnapshotNaming Naming => new(settings.Ceph.VolumesPool, settings.Ceph.VolumeSnapshotName, settings.Ceph.SnapshotName) { MoreVolumePools = settings.Pools.Volumes };

    /// <summary>Takes what is ours off disks that their cloud works on.</summary>
    public DiskReleaser Releaser(IImageCluster cluster, IStateStore state) => new(cluster, state, Naming, time);

    /// <summary>Finds what releases left behind; <paramref name="cloud"/> is null where nothing says how to log in.</summary>
    /// <returns>One for each cluster.</returns>
    public IReadOnlyList<SweepRunner> Sweeps(IImageCluster cluster, IStateStore state, OpenStackCloud? cloud) => [.. settings.AllClusters.Select(c => new SweepRunner(
        cluster, state, cloud is null ? null : new NovaServers(cloud), Releaser(cluster, state),
        new SweepOptions(c.VmsPool, c.VolumesPool, settings.Sweep.Grace, settings.Sweep.TrashDeferment, Naming), time))];

    /// <summary>After how many days a policy's next full is due; null: never.</summary>
    public int? CycleDaysOf(string? policy) => Retention.FullEvery(policy);

    private static PointRemover Remover(PointRepository repository) => new(repository, Consolidate(repository));

    private Task<CephClusters> ConnectAsync(Func<CephSettings, string> user, CancellationToken cancel) =>
        CephClusters.OpenAsync(settings, user, time, loggers.CreateLogger<CephClusters>(), cancel);

    private BackupOptions BackupOptions => new(
        new CutParameters((int)settings.Repository.SegmentSize, (int)settings.Repository.FrameSize, (int)settings.Repository.ZeroRunMin),
        settings.Backup.ReadsInFlight, settings.Repository.Uploads, settings.Repository.PlanExtents, settings.Backup.CrossCheck.Value,
        settings.Jobs.MaxAttempts, settings.Jobs.RetryDelay, settings.Jobs.Deadline, Naming, Tool, Holder);

    private RestoreOptions RestoreOptions => new(settings.Restore.WritesInFlight, settings.Restore.TrashDeferment, Naming);

    private Retention Retention => new(settings, TimeZoneInfo.Local);

    /// <summary>Opens the configured store, or another one that is reached by the same settings.</summary>
    public IObjectStore OpenStore(string? other)
    {
        var url = other ?? settings.Store.Url ?? throw new RbdBackupException(
            ErrorKind.Usage, "no store is configured", "Set [store] url, or give --store file:///path, s3://bucket/prefix or swift://container/prefix.");
        return StoreFactory.Open(url, StoreAccess.Of(settings), loggers.CreateLogger("RbdBackup.Stores"), time);
    }
}
