using System.Security.Cryptography;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Sealing;
using RbdBackup.Stores;
using RbdBackup.Zstd;

namespace RbdBackup.Core.Tests;

/// <summary>A repository in a temporary folder, and points made of arrays instead of images.</summary>
internal sealed class TestRepository : IAsyncDisposable
{
    public const string Fsid = "6f1c2a52-0ddb-4d0b-8f0f-5d1f3f0c6d11";

    public static readonly CutParameters SmallCut = new(64 << 10, 16 << 10, 4096);

    private readonly DirectoryInfo _folder;
    private readonly FrameCodec _codec;
    private ulong _snapshot = 10;

    private TestRepository(string codec, string parent, IObjectStore? store)
    {
        _folder = Directory.CreateDirectory(Path.Combine(parent, $"rbdbackup-test.{Guid.NewGuid():N}"));
        _codec = CodecFactory.Create(codec);
        Store = new WrappedStore(store ?? new FolderStore(_folder.FullName, Time));
    }

    public string Folder => _folder.FullName;

    public WrappedStore Store { get; }

    public ManualTime Time { get; } = new();

    public IFrameCodec Codec => _codec;

    public PointRepository Repository { get; private set; } = null!;

    /// <summary>The secret of sealed repositories.</summary>
    public const string Secret = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";

    /// <summary>
    /// Opens an empty repository; <paramref name="inMemory"/> for tests that store thousands of objects: its folder is in memory, where that is possible;
    /// with <paramref name="store"/>, the one that is there, or an empty one; <paramref name="secret"/> for a sealed one.
    /// </summary>
    public static async Task<TestRepository> OpenAsync(string codec = "none", bool inMemory = false, IObjectStore? store = null, string? secret = null)
    {
        var test = new TestRepository(codec, inMemory && Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), store);
        test.Repository = await test.OpenAgainAsync(secret, create: true);
        return test;
    }

    /// <summary>The repository as another process sees it; with <paramref name="store"/> its copy.</summary>
    public Task<PointRepository> OpenAgainAsync(string? secret, bool create = false, IObjectStore? store = null) => PointRepository.OpenAsync(
        store ?? Store, Codec, Time, secret is null ? null : RepositorySecret.Parse(secret, "a test"), create, CancellationToken.None);

    public static DiskIdentity Disk(string name = "disk") => new(Fsid, "vms", 3, "", name, $"id-of-{name}");

    /// <summary>Stores a point that holds an image's content, as a backup does; the extents are those that the image is read at.</summary>
    public async Task<Manifest> AddAsync(
        byte[] image, IReadOnlyList<Extent> extents, Manifest? below = null, DiskIdentity? disk = null, CutParameters? cut = null, string? policy = null)
    {
        var draft = await DraftAsync(image, extents, below, disk, cut, policy);
        await Repository.CommitAsync(draft, CancellationToken.None);
        return draft;
    }

    /// <summary>All of a point but its commit.</summary>
    public async Task<Manifest> DraftAsync(
        byte[] image, IReadOnlyList<Extent> extents, Manifest? below = null, DiskIdentity? disk = null, CutParameters? cut = null, string? policy = null)
    {
        var head = Head(image.Length, below, disk ?? Disk(), cut ?? SmallCut);
        var attempt = AttemptId.New();
        var plan = await PutPlanAsync(head, extents, attempt);
        var segments = await PutSegmentsAsync(image, extents, head, attempt, plan);
        return await FinishAsync(head, extents, attempt, plan, segments) with { Policy = policy };
    }

    /// <summary>Stores what follows the segments, whichever attempts made them, and gives the manifest to commit.</summary>
    public async Task<Manifest> FinishAsync(
        PlanHead head, IReadOnlyList<Extent> extents, AttemptId attempt, ObjectReference plan, IReadOnlyList<StoredSegment> segments)
    {
        var runs = PointIndex.Runs(head.Point, segments);
        var entries = PointIndex.Entries(Cutter.Cut(extents, head.Cut), segments, runs);
        var index = await Repository.PutAsync(Keys.Index(head.Point, attempt), PointIndex.Write(head.Point, runs, entries, Codec), CancellationToken.None);
        var stored = segments.Sum(s => s.Length);
        var key = Keys.Manifest(head.Disk.Key, head.Point, 1, attempt, head.Kind, stored);
        var references = await Repository.PutReferencesAsync(
            Keys.References(head.Point, attempt), new ReferenceList(RepositoryFormat.Version, key, runs, [plan.Key, index.Key]), CancellationToken.None);
        return Manifest(head) with
        {
            Attempt = attempt,
            Codec = Codec.Name,
            Segments = segments.Count,
            DataBytes = segments.Sum(s => s.DataBytes),
            ZeroBytes = segments.Sum(s => s.ZeroBytes),
            StoredBytes = stored,
            Plan = plan,
            Index = index,
            References = references,
        };
    }

    /// <summary>The head of a new point's plan; the clock goes on by a second, the cluster's snapshot ids by one.</summary>
    public PlanHead Head(long size, Manifest? below = null, DiskIdentity? disk = null, CutParameters? cut = null)
    {
        Time.Now += TimeSpan.FromSeconds(1);
        var point = PointId.New(Time.Now);
        return new PlanHead
        {
            Format = RepositoryFormat.Version,
            Point = point,
            Disk = disk ?? Disk(),
            Snapshot = new PointSnapshot(++_snapshot, StreamHead.SnapshotName(point), true),
            Created = Time.Now,
            Kind = below is null ? PointKind.Full : PointKind.Increment,
            Reason = "a test",
            Base = below is null ? null : new PointBase(below.Point, below.Disk.Key, below.Snapshot.Id),
            Size = size,
            Cut = cut ?? SmallCut,
            Codec = Codec.Name,
            Tool = "test",
        };
    }

    public Task<ObjectReference> PutPlanAsync(PlanHead head, IReadOnlyList<Extent> extents, AttemptId attempt) =>
        Repository.PutAsync(Keys.Plan(head.Point, attempt), new PointPlan(head, extents).Write(Codec), CancellationToken.None);

    public async Task<IReadOnlyList<StoredSegment>> PutSegmentsAsync(
        byte[] image, IReadOnlyList<Extent> extents, PlanHead head, AttemptId attempt, ObjectReference plan)
    {
        var encoder = new FrameEncoder(Codec, head.Point, head.Cut);
        var store = new SegmentStore(Repository, head.Point, attempt, plan);
        var stream = new StreamHead(head.Base is { } b ? StreamHead.SnapshotName(b.Point) : null, StreamHead.SnapshotName(head.Point), head.Size);
        var segments = new List<StoredSegment>();
        foreach (var cut in Cutter.Cut(extents, head.Cut))
        {
            var frames = cut.Frames.Select(f => encoder.Encode(
                cut.Number, f, Images.Read(image, f.Extents), cut.Number == 0 && f.Number == 0 ? stream : null,
                cut.Last && f.Number == cut.Frames.Count - 1)).ToList();
            segments.Add(await store.PutAsync(cut, frames, CancellationToken.None));
            frames.ForEach(f => f.Dispose());
        }

        return segments;
    }

    /// <summary>A manifest without objects of its own.</summary>
    public static Manifest Manifest(PlanHead head)
    {
        var none = new ObjectReference("data/none", 0, Convert.ToHexStringLower(SHA256.HashData([])));
        return new Manifest
        {
            Format = RepositoryFormat.Version,
            RequiredFeatures = [],
            Point = head.Point,
            Revision = 1,
            Attempt = AttemptId.New(),
            Created = head.Created,
            Kind = head.Kind,
            Reason = head.Reason,
            Disk = head.Disk,
            Snapshot = head.Snapshot,
            OlderSnapshots = [1, 2],
            Base = head.Base,
            Size = head.Size,
            Layout = new ImageLayout(22, 61, 1 << 22, 1, null),
            ImageMetadata = new Dictionary<string, string> { ["conf_rbd_qos_iops_limit"] = "100" },
            Codec = head.Codec,
            Hash = "xxh128",
            Segments = 0,
            DataBytes = 0,
            ZeroBytes = 0,
            StoredBytes = 0,
            Seconds = 1.5,
            Plan = none,
            Index = none,
            References = none,
            AskedBy = new AskedBy(AskedSource.Cli, User: "root"),
            Tool = head.Tool,
        };
    }

    public async Task<byte[]> ExportAsync(Manifest point)
    {
        using var output = new MemoryStream();
        await new PointStream(Repository).ExportAsync(point, output, IProgressReporter.None, CancellationToken.None);
        return output.ToArray();
    }

    public async Task<byte[]> ExportFullAsync(Manifest point)
    {
        using var output = new MemoryStream();
        var chain = await Repository.ReadChainAsync(point, CancellationToken.None);
        await new PointStream(Repository).ExportFullAsync(chain, output, IProgressReporter.None, CancellationToken.None);
        return output.ToArray();
    }

    public async Task<List<string>> KeysAsync(string prefix = "") =>
        await Store.ListAsync(prefix, CancellationToken.None).Select(o => o.Key).ToListAsync();

    public async ValueTask DisposeAsync()
    {
        _codec.Dispose();
        await Store.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
