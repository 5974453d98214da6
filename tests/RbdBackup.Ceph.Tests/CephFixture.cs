using RbdBackup.Core.Model;

namespace RbdBackup.Ceph.Tests;

/// <summary>The real cluster of the environment, as both of our users, for all tests of the project.</summary>
public sealed class CephFixture : IAsyncLifetime
{
    public const string Pool = "vms";

    public const string StatePool = "rbdbackup";

    public const string StateNamespace = "rbdbackup";

    private static readonly string Prefix = $"cephtest-{Environment.ProcessId}-";

    private const ulong Layering = 1, ExclusiveLock = 1 << 2, ObjectMap = 1 << 3, FastDiff = 1 << 4, DeepFlatten = 1 << 5;

    /// <summary>What Nova's and Cinder's images usually are.</summary>
    public static readonly ImageLayout UsualLayout =
        new(22, Layering | ExclusiveLock | ObjectMap | FastDiff | DeepFlatten, 4 << 20, 1, null);

    public static string BackupUser => Setting("RBDBACKUP_TEST_CEPH_USER");

    public static string RestoreUser => Setting("RBDBACKUP_TEST_CEPH_RESTORE_USER");

    public static CephOptions BackupOptions => new() { ConfFile = Setting("CEPH_CONF"), User = BackupUser };

    public static CephOptions RestoreOptions => BackupOptions with { User = RestoreUser };

    public CephCluster Backup { get; private set; } = null!;

    public CephCluster Restore { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Backup = await CephCluster.ConnectAsync(BackupOptions, default);
        Restore = await CephCluster.ConnectAsync(RestoreOptions, default);
    }

    public async Task DisposeAsync()
    {
        await RemoveStateAsync();
        await Backup.DisposeAsync();
        await Restore.DisposeAsync();
    }

    /// <summary>A new image that is removed, with its snapshots, at the end of the test.</summary>
    public async Task<TestImage> CreateImageAsync(long size, ImageLayout? layout = null, string @namespace = "")
    {
        var spec = new ImageSpec(Pool, @namespace, NewName());
        await Restore.CreateAsync(spec, size, layout ?? UsualLayout, default);
        return new TestImage(this, spec);
    }

    /// <summary>A name that nobody else uses.</summary>
    public static string NewName() => $"{Prefix}{Guid.NewGuid():N}";

    private async Task RemoveStateAsync()
    {
        await using var store = new RadosStateStore(Backup, StatePool, StateNamespace);
        await foreach (var name in store.ListAsync(default))
        {
            if (name.StartsWith(Prefix, StringComparison.Ordinal))
            {
                await Shell.RunAsync("rados", "--name", BackupUser, "--pool", StatePool, "--namespace", StateNamespace, "rm", name);
            }
        }
    }

    private static string Setting(string name) =>
        Environment.GetEnvironmentVariable(name)
        ?? throw new InvalidOperationException($"{name} is not set; run: devstack/mini/mini up ceph && eval \"$(devstack/mini/mini env)\"");
}

[CollectionDefinition(nameof(CephCollection))]
public sealed class CephCollection : ICollectionFixture<CephFixture>;
