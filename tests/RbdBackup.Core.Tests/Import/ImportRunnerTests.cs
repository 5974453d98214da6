using RbdBackup.Core.Diff;
using RbdBackup.Core.Import;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Tests.Diff;

namespace RbdBackup.Core.Tests.Import;

/// <summary>Files of rbd export-diff that become points.</summary>
public sealed class ImportRunnerTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Created = new(2026, 1, 5, 3, 0, 0, TimeSpan.Zero);
    private readonly Random _random = new(17);
    private readonly DirectoryInfo _files = Directory.CreateTempSubdirectory("rbdbackup-import.");
    private readonly List<byte[]> _images = [];
    private TestRepository _test = null!;

    public async Task InitializeAsync() => _test = await TestRepository.OpenAsync("zstd:1");

    public async Task DisposeAsync()
    {
        await _test.DisposeAsync();
        _files.Delete(recursive: true);
    }

    [Theory]
    [InlineData(DiffFormat.V1)]
    [InlineData(DiffFormat.V2)]
    public async Task A_full_and_increments_give_the_images_back(DiffFormat format)
    {
        var points = await ImportAllAsync(_test, Write(format));
        Assert.Equal([PointKind.Full, PointKind.Increment, PointKind.Increment], points.Select(p => p.Kind));
        Assert.Equal([null, points[0].Point, points[1].Point], points.Select(p => p.Base?.Point));
        Assert.Equal(["s0", "s1", "s2"], points.Select(p => p.Snapshot.Name));
        foreach (var (point, image) in points.Zip(_images))
        {
            Assert.Equal(image, await Images.ApplyAsync([], await _test.ExportFullAsync(await _test.Repository.FindAsync(point.Point, CancellationToken.None))));
        }

        Assert.True(points[0].Created == Created && points[1].Created > Created);
        Assert.Equal((ImportRunner.Cluster, "vms/old"), (points[0].Disk.ClusterFsid, points[0].Disk.Spec.ToString()));
    }

    [Fact]
    public async Task The_stream_of_an_imported_point_is_one_for_import_diff()
    {
        var points = await ImportAllAsync(_test, Write(DiffFormat.V1));
        var image = Array.Empty<byte>();
        foreach (var (point, expected) in points.Zip(_images))
        {
            var stream = await _test.ExportAsync(point);
            var items = await Diffs.ReadAsync(new MemoryStream(stream), new DiffLimits());
            Assert.Equal(point.Base is { } b ? StreamHead.SnapshotName(b.Point) : null, items.FirstOrDefault(i => i.Record.Tag == DiffTag.FromSnap)?.Record.Name);
            image = Diffs.Apply(image, items);
            Assert.Equal(expected, image);
        }
    }

    [Fact]
    public async Task What_export_wrote_imports_into_another_repository()
    {
        await using var other = await TestRepository.OpenAsync();
        var first = Images.Random(_random, 200_000);
        var second = Images.Changed(_random, first);
        var full = await other.AddAsync(first, Images.Difference([], first));
        var increment = await other.AddAsync(second, Images.Difference(first, second), full);
        var points = await ImportAllAsync(_test, [Save("full", await other.ExportAsync(full)), Save("increment", await other.ExportAsync(increment))]);
        Assert.Equal(second, await Images.ApplyAsync([], await _test.ExportFullAsync(points[1])));

        // Into the same repository: the increment stands on the point that it names.
        var beside = await ImportAsync(other, _files.FullName + "/increment");
        Assert.Equal(full.Point, beside.Base!.Point);
        Assert.Equal(second, await Images.ApplyAsync([], await other.ExportFullAsync(beside)));
    }

    [Fact]
    public async Task The_same_file_is_one_point_and_another_for_its_snapshot_is_refused()
    {
        var files = Write(DiffFormat.V1);
        var first = await ImportAllAsync(_test, files);
        Assert.Equal(first.Select(p => p.Point), (await ImportAllAsync(_test, files)).Select(p => p.Point));
        var other = Save("other", Diffs.Write([Diffs.Named(DiffTag.ToSnap, "s1"), Diffs.Sized(10), Diffs.Changed(0, "x"u8), Diffs.Ended], DiffFormat.V1));
        Assert.Equal(ErrorKind.Refused, (await Assert.ThrowsAsync<RbdBackupException>(() => ImportAsync(_test, other))).Kind);
    }

    [Fact]
    public async Task An_increment_on_a_snapshot_that_nobody_knows_is_refused()
    {
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => ImportAsync(_test, Write(DiffFormat.V1)[1]));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains("snapshot s0", error.Message, StringComparison.Ordinal);
        Assert.Empty(await _test.KeysAsync(Keys.DataPrefix));
    }

    [Fact]
    public async Task A_file_that_is_cut_off_anywhere_or_goes_on_leaves_nothing()
    {
        var whole = await File.ReadAllBytesAsync(Write(DiffFormat.V2)[0]);
        for (var n = 0; n < 40; n++)
        {
            var error = await Assert.ThrowsAsync<RbdBackupException>(() => ImportAsync(_test, Save("cut", whole[..(n * whole.Length / 40)])));
            Assert.Equal(ErrorKind.Corrupt, error.Kind);
        }

        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => ImportAsync(_test, Save("longer", [.. whole, 0])))).Kind);
        Assert.Empty(await _test.KeysAsync(Keys.DataPrefix));
        Assert.Empty(await _test.KeysAsync(Keys.PointsPrefix));
    }

    [Fact]
    public async Task Ranges_in_any_order_are_taken_and_overlaps_are_refused()
    {
        Item[] head = [Diffs.Named(DiffTag.ToSnap, "s"), Diffs.Sized(40_000)];
        var (a, b) = (new byte[9000], new byte[5000]);
        _random.NextBytes(a);
        _random.NextBytes(b);
        var point = await ImportAsync(_test, Save("any", Diffs.Write([.. head, Diffs.Changed(20_000, a), Diffs.Zeroed(30_000, 5_000), Diffs.Changed(15_000, b), Diffs.Ended], DiffFormat.V1)));
        var image = new byte[40_000];
        a.CopyTo(image, 20_000);
        b.CopyTo(image, 15_000);
        Assert.Equal(image, await Images.ApplyAsync([], await _test.ExportFullAsync(point)));
        var twice = Save("twice", Diffs.Write([Diffs.Named(DiffTag.ToSnap, "t"), Diffs.Sized(40_000), Diffs.Changed(20_000, a), Diffs.Changed(16_000, b), Diffs.Ended], DiffFormat.V1));
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => ImportAsync(_test, twice))).Kind);
    }

    [Fact]
    public async Task Killed_at_any_change_and_run_again_it_ends_right()
    {
        var files = Write(DiffFormat.V1);
        for (var n = 1; ; n++)
        {
            await using var test = await TestRepository.OpenAsync(inMemory: true);
            test.Store.DieAt(n);
            var killed = await Record.ExceptionAsync(() => ImportAllAsync(test, files)) is KilledException;
            test.Store.OnChange = _ => { };
            var points = await ImportAllAsync(test, files);
            Assert.Equal(3, (await test.KeysAsync(Keys.PointsPrefix)).Count);
            Assert.Equal(_images[2], await Images.ApplyAsync([], await test.ExportFullAsync(points[2])));
            if (!killed)
            {
                Assert.True(n > 12, $"only {n} changes");
                return;
            }
        }
    }

    private static async Task<List<Manifest>> ImportAllAsync(TestRepository test, IEnumerable<string> files)
    {
        var points = new List<Manifest>();
        foreach (var file in files)
        {
            points.Add(await ImportAsync(test, file));
        }

        return points;
    }

    private static Task<Manifest> ImportAsync(TestRepository test, string file) =>
        new ImportRunner(test.Repository, new ImportOptions(TestRepository.SmallCut, 2, 10_000, TimeSpan.FromDays(1), "test")).RunAsync(
            new ImportAsk(file, new ImageSpec("vms", "", "old"), Created, new ImageLayout(22, 61, 1 << 22, 1, null), new AskedBy(AskedSource.Cli)),
            IProgressReporter.None, CancellationToken.None);

    /// <summary>A full and two increments, s0 to s2.</summary>
    private List<string> Write(DiffFormat format)
    {
        var (files, before) = (new List<string>(), Array.Empty<byte>());
        for (var n = 0; n < 3; n++)
        {
            var image = n == 0 ? Images.Random(_random, 150_000) : Images.Changed(_random, before);
            var items = new List<Item>(n == 0 ? [] : [Diffs.Named(DiffTag.FromSnap, $"s{n - 1}")]) { Diffs.Named(DiffTag.ToSnap, $"s{n}"), Diffs.Sized(image.Length) };
            items.AddRange(Images.Difference(before, image).Select(e =>
                e.Exists ? Diffs.Changed(e.Offset, image.AsSpan((int)e.Offset, (int)e.Length)) : Diffs.Zeroed(e.Offset, e.Length)));
            files.Add(Save($"s{n}", Diffs.Write([.. items, Diffs.Ended], format)));
            _images.Add(image);
            before = image;
        }

        return files;
    }

    private string Save(string name, byte[] bytes)
    {
        var path = Path.Combine(_files.FullName, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
