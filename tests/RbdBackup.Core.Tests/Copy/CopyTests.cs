using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Copy;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Rotate;
using RbdBackup.Stores;

namespace RbdBackup.Core.Tests.Copy;

/// <summary>A second site: it has all that it needs, is never asked to hold what is damaged, and goes its own way; sealed or not.</summary>
public abstract partial class CopyTests(string? secret) : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rbdbackup-copy-");
    private readonly List<(PointId Point, byte[] Image)> _points = [];
    private TestRepository _test = null!;
    private WrappedStore _site = null!;

    private protected TestRepository Test => _test;

    private protected WrappedStore Site => _site;

    protected string SiteFolder => _folder.FullName;

    /// <summary>What the last copy said of keys.</summary>
    private protected CopyKeys Prepared { get; private set; } = null!;

    protected IReadOnlyList<(PointId Point, byte[] Image)> Points => _points;

    public async Task InitializeAsync()
    {
        _test = await TestRepository.OpenAsync("zstd:1", inMemory: true, secret: secret);
        _site = Open(_folder.FullName, _test.Time);
        var random = new Random(4);
        var image = Images.Random(random, 200_000);
        Manifest? below = null;
        for (var n = 0; n < 4; n++)
        {
            var next = n == 0 ? image : Images.Changed(random, image);
            below = await _test.AddAsync(next, Images.Difference(n == 0 ? [] : image, next), below);
            _points.Add((below.Point, next));
            image = next;
        }
    }

    public async Task DisposeAsync()
    {
        await _test.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_point_brings_what_it_stands_on_and_is_restored_from_there_alone()
    {
        var results = await CopyAsync(_points[2].Point);
        Assert.Equal(CopyState.Copied, Assert.Single(results).State);
        await CheckAsync(_points[..3]);
        Assert.DoesNotContain(_points[3].Point, await TherePointsAsync());

        Assert.All(await CopyAllAsync(), r => Assert.Equal(r.Point.Point == _points[3].Point ? CopyState.Copied : CopyState.Present, r.State));
        await CheckAsync(_points);
        Assert.All(await CopyAllAsync(), r => Assert.Equal((CopyState.Present, 0L), (r.State, r.Objects)));
        Assert.Equal(Named(await _test.KeysAsync()), Named(await KeysAsync()));
    }

    [Fact]
    public async Task An_independent_point_brings_what_its_index_names_and_not_its_base()
    {
        await ConsolidateAsync(_points[2].Point);
        Assert.Equal(CopyState.Copied, Assert.Single(await CopyAsync(_points[2].Point)).State);
        await CheckAsync([_points[2]]);
        Assert.Equal([_points[2].Point], await TherePointsAsync());
    }

    [Fact]
    public async Task Killed_at_any_change_the_same_copy_again_ends_well()
    {
        for (var n = 1; ; n++)
        {
            _site.DieAt(n);
            var died = await Record.ExceptionAsync(CopyAllAsync) is not null;
            _site.OnChange = _ => { };
            foreach (var point in await TherePointsAsync())
            {
                await CheckAsync(_points.Where(p => p.Point == point));
            }

            Assert.All(await CopyAllAsync(), r => Assert.Contains(r.State, new[] { CopyState.Copied, CopyState.Present }));
            await CheckAsync(_points);
            Assert.Equal(Named(await _test.KeysAsync()), Named(await KeysAsync()));
            if (!died)
            {
                return;
            }

            foreach (var key in await KeysAsync())
            {
                await _site.DeleteAsync(key, CancellationToken.None);
            }
        }
    }

    [Fact]
    public async Task Two_copies_at_the_same_time_both_end_well()
    {
        for (var n = 1; ; n += 3)
        {
            var (left, second) = (n, (IReadOnlyList<CopyResult>?)null);
            _site.OnChange = _ =>
            {
                if (--left == 0)
                {
                    second = CopyAllAsync().GetAwaiter().GetResult();
                }
            };
            var results = (await CopyAllAsync()).Concat(second ?? []);
            _site.OnChange = _ => { };
            Assert.All(results, r => Assert.True(r.State is CopyState.Copied or CopyState.Present, $"change {n}: {r.Point.Point} is {r.State}: {r.Why}"));
            await CheckAsync(_points);
            if (second is null)
            {
                return;
            }

            foreach (var key in await KeysAsync())
            {
                await _site.DeleteAsync(key, CancellationToken.None);
            }
        }
    }

    [Fact]
    public async Task What_the_other_site_removed_stays_away_and_what_stands_on_it_goes_on()
    {
        await CopyAllAsync();
        await using (var there = await OpenThereAsync())
        {
            // Its own policy keeps less: what stays is made independent there.
            var prune = new PruneRunner(there, new PointRemover(there, new Consolidator(there)));
            await prune.RunAsync(new PruneAsk([_points[0].Point, _points[1].Point], false, true, false), e => throw e, IProgressReporter.None, CancellationToken.None);
        }

        var random = new Random(9);
        var below = await _test.Repository.FindAsync(_points[3].Point, CancellationToken.None);
        var next = Images.Changed(random, _points[3].Image);
        _points.Add(((await _test.AddAsync(next, Images.Difference(_points[3].Image, next), below)).Point, next));
        var states = (await CopyAllAsync()).ToDictionary(r => r.Point.Point, r => r.State);
        Assert.Equal([CopyState.Left, CopyState.Left, CopyState.Present, CopyState.Present, CopyState.Copied], _points.Select(p => states[p.Point]));
        await CheckAsync(_points[2..]);
    }

    [Fact]
    public async Task Damage_does_not_travel_and_the_points_without_it_do()
    {
        var bad = (await _test.KeysAsync(Keys.PointData(_points[2].Point))).First(k => Keys.TryParseSegment(k) is not null);
        _test.Store.Flip(bad, 100, 3);
        var states = (await CopyAllAsync()).ToDictionary(r => r.Point.Point, r => r.State);
        Assert.Equal([CopyState.Copied, CopyState.Copied, CopyState.Damaged, CopyState.Damaged], _points.Select(p => states[p.Point]));
        Assert.DoesNotContain(bad, await KeysAsync());
        await CheckAsync(_points[..2]);
    }

    [Fact]
    public async Task Objects_that_are_lost_there_are_copied_again()
    {
        await CopyAllAsync();
        var lost = (await KeysAsync()).Where(k => k.StartsWith(Keys.DataPrefix, StringComparison.Ordinal)).Where((_, n) => n % 3 == 0).ToList();
        lost.ForEach(k => File.Delete(Path.Combine(_folder.FullName, k)));
        Assert.Equal(lost.Count, (await CopyAllAsync()).Sum(r => r.Objects));
        await CheckAsync(_points);
    }

    [Fact]
    public async Task Another_repository_is_refused()
    {
        await _test.OpenAgainAsync(secret, create: true, _site);
        var keys = await KeysAsync();
        Assert.Equal(ErrorKind.Refused, (await Assert.ThrowsAsync<RbdBackupException>(CopyAllAsync)).Kind);
        Assert.Equal(keys, await KeysAsync());
    }

    [Fact]
    public async Task A_pin_comes_with_its_point_and_what_was_said_there_stands()
    {
        // The first one is unpinned there, the second one pinned for longer, the third one for shorter; the last one is pinned when it is there already.
        List<int> days = [10, 20, 30, 40];
        for (var n = 0; n < 3; n++)
        {
            await PinAsync(_test.Repository, n, days[n]);
        }

        await CopyAllAsync();
        await PinAsync(_test.Repository, 3, days[3]);
        Assert.Equal(1, (await CopyAllAsync()).Sum(r => r.Objects));
        Assert.Equal(days, await PinnedDaysAsync());
        Assert.Equal(0, (await CopyAllAsync()).Sum(r => r.Objects));

        await PinAsync(await OpenThereAsync(), 0, null);
        await PinAsync(await OpenThereAsync(), 1, 25);
        await PinAsync(await OpenThereAsync(), 2, 5);
        await CopyAllAsync();
        Assert.Equal<List<int>>([0, 25, 5, 40], await PinnedDaysAsync());

        // What is said here after that is brought, as far as it keeps the point longer; the end of a pin is not.
        for (var n = 0; n < 2; n++)
        {
            await PinAsync(_test.Repository, 0, 12);
            await PinAsync(_test.Repository, 1, 22);
        }

        await PinAsync(_test.Repository, 3, null);
        await CopyAllAsync();
        Assert.Equal<List<int>>([12, 25, 5, 40], await PinnedDaysAsync());
    }

    [Fact]
    public async Task A_pinned_point_outlives_the_other_sites_policy()
    {
        await PinAsync(_test.Repository, 1, 100);
        await CopyAllAsync();
        _test.Time.Now += TimeSpan.FromDays(50);
        var there = await OpenThereAsync();
        var rule = new RotationRule(["site"], [new LastRule(1)], TimeSpan.Zero);
        var rotate = new RotateRunner(there, new PointRemover(there, new Consolidator(there)), _ => rule, TimeSpan.FromDays(1), _test.Time);
        Assert.All(await rotate.RunAsync(false, e => throw e, IProgressReporter.None, CancellationToken.None).ToListAsync(), d => Assert.Null(d.Error));
        Assert.Equal([_points[0].Point, _points[1].Point, _points[3].Point], await TherePointsAsync());
        await CheckAsync([_points[0], _points[1], _points[3]]);
    }

    private static WrappedStore Open(string folder, TimeProvider time) => new(new FolderStore(folder, time));

    private static bool IsHeader(string key) => key.StartsWith(Keys.HeaderPrefix, StringComparison.Ordinal);

    /// <summary>Keys as both sites have them: of wraps only whose they are.</summary>
    private static IEnumerable<string> Named(IEnumerable<string> keys) =>
        keys.Where(k => !IsHeader(k)).Select(k => Keys.TryParseWrap(k) is { } wrap ? Keys.WrapsOf(Keys.PointOfData(k)!.Value, wrap.Attempt) : k).Distinct();

    private async Task PinAsync(PointRepository where, int point, int? days) => await new PinStore(where).PutAsync(
        await where.FindAsync(_points[point].Point, CancellationToken.None), days is { } d ? _test.Time.Now.AddDays(d) : null, "a test", "root", CancellationToken.None);

    private async Task<List<int>> PinnedDaysAsync()
    {
        var pins = await new PinStore(await OpenThereAsync()).ReadAsync(e => throw e, CancellationToken.None);
        return [.. _points.Select(p => pins.TryGetValue(p.Point, out var pin) ? (pin.Until!.Value - _test.Time.Now).Days : 0)];
    }

    private protected async Task<GarbageResult> CollectThereAsync()
    {
        var there = await OpenThereAsync();
        return await new GarbageCollector(there, new GarbageOptions(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7)), _test.Time)
            .RunAsync(false, IProgressReporter.None, CancellationToken.None);
    }

    private async Task ConsolidateAsync(PointId point) =>
        await new Consolidator(_test.Repository, new MergedLayout(64 << 10, 1000)).ConsolidateAsync(
            await _test.Repository.FindAsync(point, CancellationToken.None), IProgressReporter.None, CancellationToken.None);

    private protected Task<PointRepository> OpenThereAsync() => _test.OpenAgainAsync(secret, store: _site);

    private protected Task<List<CopyResult>> CopyAllAsync() => CopyAsync([.. _points.Select(p => p.Point)]);

    private protected async Task<List<CopyResult>> CopyAsync(params PointId[] points)
    {
        // As a process of its own.
        var source = await _test.OpenAgainAsync(secret);
        var target = await CopyRunner.OpenTargetAsync(source, _site, null, _test.Time, CancellationToken.None);
        var runner = new CopyRunner(source, target, 2);
        Prepared = await runner.PrepareAsync(IProgressReporter.None, CancellationToken.None);
        var results = new List<CopyResult>();
        foreach (var point in points)
        {
            results.Add(await runner.RunAsync(await source.FindAsync(point, CancellationToken.None), IProgressReporter.None, CancellationToken.None));
        }

        return results;
    }

    private protected async Task<List<string>> KeysAsync() => await _site.ListAsync("", CancellationToken.None).Select(o => o.Key).ToListAsync();

    private async Task<List<PointId>> TherePointsAsync()
    {
        if (!(await KeysAsync()).Exists(IsHeader))
        {
            return [];
        }

        return await (await OpenThereAsync()).ReadAllAsync(Keys.PointsPrefix, e => throw e, CancellationToken.None).Select(m => m.Point).ToListAsync();
    }

    /// <summary>Points as the other site gives them, with this one out of reach.</summary>
    private protected async Task CheckAsync(IEnumerable<(PointId Point, byte[] Image)> points)
    {
        var there = await OpenThereAsync();
        foreach (var (id, image) in points)
        {
            using var output = new MemoryStream();
            var chain = await there.ReadChainAsync(await there.FindAsync(id, CancellationToken.None), CancellationToken.None);
            await new PointStream(there).ExportFullAsync(chain, output, IProgressReporter.None, CancellationToken.None);
            Assert.Equal(image, await Images.ApplyAsync([], output.ToArray()));
        }
    }
}
