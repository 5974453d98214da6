using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;
using static RbdBackup.Core.Tests.Rotate.Rotations;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>Rotation, pins and collection on a folder, with real points: what goes, and that what stays can be read.</summary>
public sealed class RotateRunnerTests : IAsyncLifetime
{
    private static readonly GarbageOptions Garbage = new(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
    private readonly Random _random = new(5);
    private TestRepository _test = null!;

    private static CancellationToken None => CancellationToken.None;

    public async Task InitializeAsync() => _test = await TestRepository.OpenAsync();

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task Points_go_one_by_one_out_of_a_chain_that_never_ends_and_the_rest_restores_bit_for_bit()
    {
        var (points, images) = await ChainAsync("disk", 20);
        var rotated = Assert.Single(await RotateAsync(Rule(new LastRule(2), Newest(Period.Week, 2))));
        Assert.Null(rotated.Error);
        Assert.Equal([13, 18, 19], Kept(rotated, points));
        Assert.Equal([points[13].Point, points[18].Point], rotated.Plan.Consolidate);
        await CollectAsync();
        _test.Time.Now += Garbage.Grace;
        await CollectAsync();
        var left = await _test.Repository.ReadDiskAsync(points[0].Disk.Key, null, None);
        Assert.Equal(3, left.Count);
        foreach (var point in left)
        {
            Assert.Equal(images[point.Point], await Images.ApplyAsync([], await _test.ExportFullAsync(point)));
        }

        Assert.Empty(Assert.Single(await RotateAsync(Rule(new LastRule(3)))).Plan.Consolidate);
    }

    [Fact]
    public async Task A_disk_with_a_clock_in_the_future_is_refused_and_the_others_are_rotated()
    {
        await ChainAsync("a-future", 3);
        _test.Time.Now -= TimeSpan.FromDays(30);
        var (points, _) = await ChainAsync("b", 5);
        var disks = await RotateAsync(Rule(new LastRule(1)));
        Assert.Equal(ErrorKind.Refused, disks[0].Error!.Kind);
        Assert.Contains("of vms/a-future is from", disks[0].Error!.Message, StringComparison.Ordinal);
        Assert.All(disks[0].Plan.Verdicts, v => Assert.True(v.Keep));
        Assert.Null(disks[1].Error);
        Assert.Equal([4], Kept(disks[1], points));
        Assert.Equal([3, 1], await CountAsync("a-future", "b"));
    }

    [Fact]
    public async Task What_fails_on_one_disk_stops_no_other_and_loses_nothing()
    {
        var (damaged, _) = await ChainAsync("a", 4);
        await ChainAsync("b", 4);
        _test.Store.Flip(damaged[1].Index.Key, 10, 3);
        var disks = await RotateAsync(Rule(new LastRule(1)));
        Assert.Equal((ErrorKind.Corrupt, true), (disks[0].Error!.Kind, disks[1].Error is null));
        Assert.Equal([4, 1], await CountAsync("a", "b"));
    }

    [Fact]
    public async Task A_pinned_point_stays_with_all_below_it_until_its_day_has_passed()
    {
        var (points, images) = await ChainAsync("disk", 6);
        await PinAsync(points[2], TimeSpan.FromDays(10));
        Assert.Equal([0, 1, 2, 5], Kept(Assert.Single(await RotateAsync(Rule(new LastRule(1)))), points));
        await CollectAsync();
        Assert.Equal(images[points[2].Point], await Images.ApplyAsync([], await _test.ExportFullAsync(points[2])));
        _test.Time.Now += TimeSpan.FromDays(10);
        Assert.Equal([5], Kept(Assert.Single(await RotateAsync(Rule(new LastRule(1)))), points));
    }

    [Fact]
    public async Task The_last_pin_of_a_point_counts_and_unpinned_it_goes()
    {
        var (points, _) = await ChainAsync("disk", 2);
        await PinAsync(points[0], TimeSpan.FromDays(1));
        await PinAsync(points[0], TimeSpan.FromDays(9));
        Assert.Equal(_test.Time.Now.AddDays(9), (await PinsAsync())[points[0].Point].Until);
        await new PinStore(_test.Repository).PutAsync(points[0], null, "done", "root", None);
        Assert.Empty(await PinsAsync());
        Assert.Equal([1], Kept(Assert.Single(await RotateAsync(Rule(new LastRule(1)))), points));
    }

    [Fact]
    public async Task A_pin_that_cannot_be_read_counts_and_is_told_of()
    {
        var (points, _) = await ChainAsync("disk", 3);
        await PinAsync(points[0], TimeSpan.FromDays(1));
        _test.Store.OnRead = (key, _, bytes) => (key.StartsWith(Keys.PinsPrefix, StringComparison.Ordinal) ? bytes : default).Span.Clear();
        var damages = new List<RbdBackupException>();
        var rotated = Assert.Single(await RotateAsync(Rule(new LastRule(1)), damages.Add));
        Assert.Equal([0, 2], Kept(rotated, points));
        Assert.Contains("pinned until", rotated.Plan.Verdicts[0].Reasons[0], StringComparison.Ordinal);
        Assert.Contains(Keys.PinsPrefix, damages[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pin_that_comes_while_a_rotation_runs_counts()
    {
        var (points, _) = await ChainAsync("disk", 3);
        var runner = Runner(Rule(new LastRule(1)));
        var reads = 0;
        _test.Store.OnRead = (key, _, _) =>
        {
            // The rotation is reading manifests when the pin is written.
            if (key.StartsWith(Keys.PointsPrefix, StringComparison.Ordinal) && Interlocked.Increment(ref reads) == 3)
            {
                _test.Store.OnRead = (_, _, _) => { };
                PinAsync(points[1], TimeSpan.FromDays(1)).GetAwaiter().GetResult();
            }
        };
        var rotated = await runner.RunAsync(false, e => throw e, IProgressReporter.None, None).SingleAsync();
        Assert.Equal([0, 1, 2], Kept(rotated, points));
        Assert.Equal([3], await CountAsync("disk"));
    }

    [Fact]
    public async Task Collection_keeps_the_last_pin_and_clears_older_ones_and_those_of_points_that_are_gone()
    {
        var (points, _) = await ChainAsync("disk", 3);
        await PinAsync(points[2], TimeSpan.FromDays(50));
        await PinAsync(points[2], TimeSpan.FromDays(40));
        await PinAsync(points[1], TimeSpan.FromDays(1));
        await CollectAsync();
        Assert.Equal(2, (await _test.KeysAsync(Keys.PinsPrefix)).Count);
        Assert.Equal(_test.Time.Now.AddDays(40), (await PinsAsync())[points[2].Point].Until);
        _test.Time.Now += TimeSpan.FromDays(30);
        await new PinStore(_test.Repository).PutAsync(points[2], null, "done", "root", None);
        await AddAsync("disk", points[2]);
        await RotateAsync(Rule(new LastRule(1)));
        await CollectAsync();
        Assert.Empty(await _test.KeysAsync(Keys.PinsPrefix));
    }

    [Fact]
    public async Task Prune_refuses_a_pinned_point_and_what_it_stands_on()
    {
        var (points, _) = await ChainAsync("disk", 4);
        await PinAsync(points[1], TimeSpan.FromDays(1));
        var prune = new PruneRunner(_test.Repository, new PointRemover(_test.Repository, new Consolidator(_test.Repository)));
        Task<PrunePlan> Prune(Manifest point) => prune.RunAsync(new PruneAsk([point.Point], true, true, false), e => throw e, IProgressReporter.None, None);
        var pinned = await Assert.ThrowsAsync<RbdBackupException>(() => Prune(points[1]));
        Assert.Contains("it is pinned until", pinned.Message, StringComparison.Ordinal);
        var below = await Assert.ThrowsAsync<RbdBackupException>(() => Prune(points[0]));
        Assert.Equal((ErrorKind.Refused, true), (below.Kind, below.Message.Contains($"point {points[1].Point}, which stands on it, is pinned", StringComparison.Ordinal)));
        await Prune(points[2]);
        Assert.Equal([3], await CountAsync("disk"));
    }

    [Fact]
    public async Task Another_disks_point_that_stands_on_one_keeps_it()
    {
        var (points, _) = await ChainAsync("disk", 4);
        await AddAsync("restored", points[1]);
        var disks = await RotateAsync(Rule(new LastRule(1)));
        Assert.Equal([1, 3], Kept(disks[0], points));
        Assert.Contains("the last good point", Assert.Single(disks[1].Plan.Verdicts).Reasons);
    }

    [Fact]
    public async Task A_rotation_leaves_a_catalogue_that_lacks_nothing_and_a_plan_leaves_none()
    {
        await ChainAsync("a", 5);
        await ChainAsync("b", 3);
        var rule = Rule(new LastRule(2));
        await Runner(rule).RunAsync(true, e => throw e, IProgressReporter.None, None).CountAsync();
        Assert.Empty(await _test.KeysAsync(Keys.CataloguePrefix));
        await RotateAsync(rule);
        Assert.All(await new Catalogue(_test.Repository).ReadAsync(e => throw e, None).ToListAsync(), c => Assert.True(c.IsCopy));
        var written = await _test.KeysAsync(Keys.CataloguePrefix);
        await RotateAsync(rule);
        Assert.Equal(written, await _test.KeysAsync(Keys.CataloguePrefix));
    }

    [Fact]
    public async Task A_store_that_refuses_a_catalogue_fails_no_rotation()
    {
        await ChainAsync("disk", 4);
        _test.Store.OnChange = key => _ = key.StartsWith(Keys.CataloguePrefix, StringComparison.Ordinal) ? throw new RbdBackupException(ErrorKind.Permission, "no catalogue") : 0;
        var warnings = new List<RbdBackupException>();
        Assert.Null(Assert.Single(await RotateAsync(Rule(new LastRule(1)), warnings.Add)).Error);
        Assert.Equal("no catalogue", Assert.Single(warnings).Message);
        Assert.Equal([1], await CountAsync("disk"));
    }

    [Theory]
    [InlineData(3, new[] { 2 })]
    [InlineData(0, new[] { 0, 1, 2, 3 })]
    public async Task Nothing_is_removed_by_a_copy_whose_manifest_is_damaged(int damaged, int[] kept)
    {
        var (points, images) = await ChainAsync("disk", 4);
        await new Catalogue(_test.Repository).WriteAsync(None);
        _test.Store.Flip(points[damaged].Key, 300, 2);
        var rotated = Assert.Single(await RotateAsync(Rule(new LastRule(1))));
        Assert.Equal(kept.Where(k => k != damaged), Kept(rotated, points));
        _test.Store.OnRead = (_, _, _) => { };
        if (damaged == 3)
        {
            Assert.Equal(images[points[2].Point], await Images.ApplyAsync([], await _test.ExportFullAsync((await _test.Repository.FindNewestAsync(points[2], None))!)));
        }
    }

    [Fact]
    public async Task A_point_that_was_pruned_or_made_independent_since_the_catalogue_was_written_is_planned_as_it_is()
    {
        var (points, images) = await ChainAsync("disk", 6);
        await new Catalogue(_test.Repository).WriteAsync(None);
        await new Consolidator(_test.Repository).ConsolidateAsync(points[5], IProgressReporter.None, None);
        await new PointRemover(_test.Repository, new Consolidator(_test.Repository)).RemoveAsync([points[1]], points, IProgressReporter.None, None);
        var rotated = Assert.Single(await RotateAsync(Rule(new LastRule(2))));
        Assert.Equal([4, 5], Kept(rotated, points));
        Assert.Equal([points[4].Point], rotated.Plan.Consolidate);
        foreach (var point in await _test.Repository.ReadDiskAsync(points[0].Disk.Key, null, None))
        {
            Assert.Equal(images[point.Point], await Images.ApplyAsync([], await _test.ExportFullAsync(point)));
        }
    }

    [Fact]
    public async Task A_pin_that_ends_while_a_rotation_runs_lets_go_all_that_the_plan_names()
    {
        var (points, images) = await ChainAsync("disk", 6);
        await PinAsync(points[1], TimeSpan.FromHours(1));
        await new Catalogue(_test.Repository).WriteAsync(None);
        _test.Store.OnRead = (key, _, _) =>
        {
            // What goes is read once more before it does.
            if (key == points[2].Key)
            {
                _test.Store.OnRead = (_, _, _) => { };
                _test.Time.Now += TimeSpan.FromHours(2);
            }
        };
        var disk = Assert.Single(await RotateAsync(Rule(new LastRule(3))));
        Assert.Null(disk.Error);
        Assert.Equal([3, 4, 5], Kept(disk, points));
        Assert.Equal(points[3..].Select(p => p.Point), (await _test.Repository.ReadDiskAsync(points[0].Disk.Key, e => throw e, None)).Select(m => m.Point));
        foreach (var point in await _test.Repository.ReadDiskAsync(points[0].Disk.Key, e => throw e, None))
        {
            Assert.Equal(images[point.Point], await Images.ApplyAsync([], await _test.ExportFullAsync(point)));
        }
    }

    [Fact]
    public async Task Rotating_one_more_disk_costs_no_more_than_27_requests()
    {
        async Task<int> RequestsAsync(int disks, int from)
        {
            for (var n = from; n < from + disks; n++)
            {
                await ChainAsync($"disk-{n}", 6);
            }

            await new Catalogue(_test.Repository).WriteAsync(None);
            var before = _test.Store.Requests;
            await RotateAsync(Rule(new LastRule(3)));
            return _test.Store.Requests - before;
        }

        var (two, ten) = (await RequestsAsync(2, 0), await RequestsAsync(10, 2));
        Assert.InRange((ten - two) / 8.0, 1, 27);
    }

    private async Task<(List<Manifest> Points, Dictionary<PointId, byte[]> Images)> ChainAsync(string disk, int length)
    {
        var (points, images) = (new List<Manifest>(), new Dictionary<PointId, byte[]>());
        var image = Array.Empty<byte>();
        for (var n = 0; n < length; n++)
        {
            var next = n == 0 ? Images.Random(_random, 40_960) : Images.Changed(_random, image);
            points.Add(await _test.AddAsync(next, Images.Difference(image, next), n == 0 ? null : points[^1], TestRepository.Disk(disk)));
            images[points[^1].Point] = image = next;
            _test.Time.Now += TimeSpan.FromDays(1);
        }

        return (points, images);
    }

    private Task<Manifest> AddAsync(string disk, Manifest below) => _test.AddAsync(new byte[512], [], below, TestRepository.Disk(disk));

    private Task<Pin> PinAsync(Manifest point, TimeSpan time) => new PinStore(_test.Repository).PutAsync(point, _test.Time.Now + time, "the auditors", "root", None);

    private Task<IReadOnlyDictionary<PointId, Pin>> PinsAsync() => new PinStore(_test.Repository).ReadAsync(e => throw e, None);

    private RotateRunner Runner(RotationRule rule) =>
        new(_test.Repository, new PointRemover(_test.Repository, new Consolidator(_test.Repository)), _ => rule, Garbage.JobDeadline + Garbage.Grace, _test.Time);

    private async Task<List<DiskRotation>> RotateAsync(RotationRule rule, Action<RbdBackupException>? onDamaged = null) =>
        await Runner(rule).RunAsync(false, onDamaged ?? (e => throw e), IProgressReporter.None, None).ToListAsync();

    private Task<GarbageResult> CollectAsync() => new GarbageCollector(_test.Repository, Garbage, _test.Time).RunAsync(false, IProgressReporter.None, None);

    private static List<int> Kept(DiskRotation disk, List<Manifest> points) =>
        [.. disk.Plan.Verdicts.Where(v => v.Keep).Select(v => points.FindIndex(p => p.Point == v.Point.Point))];

    private async Task<List<int>> CountAsync(params string[] disks)
    {
        var counts = new List<int>();
        foreach (var disk in disks)
        {
            counts.Add((await _test.Repository.ReadDiskAsync(TestRepository.Disk(disk).Key, null, None)).Count);
        }

        return counts;
    }
}
