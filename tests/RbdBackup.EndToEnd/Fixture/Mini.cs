using RbdBackup.Ceph;
using RbdBackup.Core.Model;

namespace RbdBackup.EndToEnd;

/// <summary>The real servers of devstack/mini, as a class of tests sees them.</summary>
public sealed class Mini : IAsyncLifetime
{
    private const ulong Layering = 1, ExclusiveLock = 1 << 2, ObjectMap = 1 << 3, FastDiff = 1 << 4, DeepFlatten = 1 << 5;

    /// <summary>What Nova's and Cinder's images usually are, with objects of 64 KiB: many of them in a small image.</summary>
    public static readonly ImageLayout SmallObjects = Layout(16);

    /// <summary>The features of Nova's and Cinder's images, without the maps that fast-diff needs.</summary>
    public const ulong WithoutMaps = Layering | ExclusiveLock | DeepFlatten;

    /// <summary>The command as it is shipped; never an older one than the code.</summary>
    public static string Command { get; } = TopFolder.Of("bin/rbdbackup") is var path && File.Exists(path) && Sources().All(s => File.GetLastWriteTimeUtc(s) <= File.GetLastWriteTimeUtc(path))
        ? path
        : throw new InvalidOperationException($"{path} is not there, or older than the code: run 'make build'; the end-to-end tests run what it makes.");

    public static string CephConf => Setting("CEPH_CONF");

    public static string BackupUser => Setting("RBDBACKUP_TEST_CEPH_USER");

    public static string RestoreUser => Setting("RBDBACKUP_TEST_CEPH_RESTORE_USER");

    /// <summary>The backup user's like, for workers with a state namespace of their own (<c>e2e-…</c>).</summary>
    public static string WorkerUser => Setting("RBDBACKUP_TEST_CEPH_WORKER_USER");

    public static string S3Url => Setting("RBDBACKUP_TEST_S3_URL");

    public static string S3Bucket => Setting("RBDBACKUP_TEST_S3_BUCKET");

    public static string AmqpUrl => Setting("RBDBACKUP_TEST_AMQP_URL");

    /// <summary>The cluster as the user who owns everything: plays the guest and the services, and cleans up.</summary>
    public CephCluster Admin { get; private set; } = null!;

    private static IEnumerable<string> Sources() => Directory.EnumerateDirectories(TopFolder.Of("src"))
        .SelectMany(project => Directory.EnumerateFiles(project, "*.cs", SearchOption.AllDirectories).Where(file => !file.StartsWith(Path.Combine(project, "obj"), StringComparison.Ordinal)));

    public static ImageLayout Layout(int order) => new(order, WithoutMaps | ObjectMap | FastDiff, 1L << order, 1, null);

    /// <summary>A name that nobody else uses.</summary>
    public static string NewName() => $"e2e-{Guid.NewGuid():N}";

    public static string Setting(string name) =>
        Environment.GetEnvironmentVariable(name)
        ?? throw new InvalidOperationException($"{name} is not set; run: devstack/mini/mini up && eval \"$(devstack/mini/mini env)\"");

    public async Task InitializeAsync() =>
        Admin = await CephCluster.ConnectAsync(new CephOptions { ConfFile = CephConf, User = "client.admin" }, default);

    public async Task DisposeAsync() => await Admin.DisposeAsync();

    /// <summary>A new image that is swept away at the end of the test.</summary>
    public async Task<TestImage> CreateAsync(long size, ImageLayout? layout = null, string @namespace = "", string? name = null)
    {
        var image = Existing(new ImageSpec("vms", @namespace, name ?? NewName()));
        await Admin.CreateAsync(image.Spec, size, layout ?? SmallObjects, default);
        return image;
    }

    /// <summary>An image that something else makes, or made; swept away at the end of the test.</summary>
    public TestImage Existing(ImageSpec spec) => new(Admin, spec);

    /// <summary>A name to restore to; the image is swept away at the end of the test.</summary>
    public TestImage Target() => Existing(new ImageSpec("vms", NewName()));
}
