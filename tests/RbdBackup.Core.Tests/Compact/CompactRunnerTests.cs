using System.Globalization;
using RbdBackup.Core.Compact;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Rotate;
using Xunit.Abstractions;

namespace RbdBackup.Core.Tests.Compact;

/// <summary>Compactions of real points: what comes free, what stays right, and what happens around them.</summary>
public sealed class CompactRunnerTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly GarbageOptions Garbage = new(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
    private static readonly CompactOptions Options = new(0.5, TestRepository.SmallCut, TimeSpan.FromDays(1), MinGain: 1);
    private static readonly MergedLayout Small = new(32 << 10, 100);

    /// <summary>RBDBACKUP_COMPACT_MIB=32 is the bench's.</summary>
    private static int Mebibytes => int.Parse(Environment.GetEnvironmentVariable("RBDBACKUP_COMPACT_MIB") ?? "2", CultureInfo.InvariantCulture);

    private readonly Random _random = new(11);
    private readonly List<byte[]> _images = [];
    private TestRepository _test = null!;

    public async Task InitializeAsync() => _test = await TestRepository.OpenAsync("zstd:1", inMemory: true);

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task Three_points_that_are_left_of_thirty_take_little_more_than_three_points()
    {
        var chain = await ForeverAsync(30, Mebibytes << 20, everyBlock: 10);
        Manifest[] kept = [chain[9], chain[19], chain[29]];
        await PruneAsync(_test, chain.Except(kept), large: true);
        await CollectAllAsync(_test);
        var before = await StoredAsync(_test);
        var results = await CompactAsync(_test, large: true);
        await CollectAllAsync(_test);
        var after = await StoredAsync(_test);

        await using var ideal = await TestRepository.OpenAsync("zstd:1", inMemory: true);
        var (below, image) = ((Manifest?)null, Array.Empty<byte>());
        foreach (var n in new[] { 9, 19, 29 })
        {
            below = await ideal.AddAsync(_images[n], Images.Difference(image, _images[n]), below);
            image = _images[n];
        }

        var needed = await StoredAsync(ideal);
        output.WriteLine($"compaction, 3 of 30 points of {Mebibytes} MiB: ratio {(double)after / needed:F3}  {after} bytes, 3 points need {needed}; {before} before");
        Assert.True(after < 1.3 * needed, $"{after} bytes, three points need {needed}; {before} before");
        Assert.True(before > 1.3 * needed, $"there was nothing to compact: {before} bytes, three points need {needed}");
        Assert.InRange(before - after, Assert.Single(results).Plan.FreedBytes / 2, before);
        await AssertAllShowAsync(_test, kept, [_images[9], _images[19], _images[29]]);
        Assert.Empty(Assert.Single(await CompactAsync(_test, large: true)).Points);
    }

    [Fact]
    public async Task A_compaction_is_a_new_revision_and_a_dry_run_is_none()
    {
        var kept = await PrunedAsync(_test);
        var (keys, newest) = (await _test.KeysAsync(), await _test.Repository.FindAsync(kept[0].Point, CancellationToken.None));
        var would = Assert.Single(await CompactAsync(_test, dryRun: true));
        Assert.NotEmpty(would.Plan.Segments);
        Assert.Equal(keys, await _test.KeysAsync());
        var done = Assert.Single(await CompactAsync(_test));
        Assert.Equal(would.Points.Select(p => p.Point), done.Points.Select(p => p.Point));
        var made = await _test.Repository.FindAsync(kept[0].Point, CancellationToken.None);
        Assert.Equal(newest.Revision + 1, made.Revision);
        Assert.Equal((newest.Base, newest.Plan, newest.StoredBytes, newest.ChainStart), (made.Base, made.Plan, made.StoredBytes, made.ChainStart));
        Assert.True(done.StoredBytes > 0);
    }

    [Fact]
    public async Task Own_streams_of_points_that_are_there_stay_whole()
    {
        var kept = await PrunedAsync(_test);
        var before = await _test.Repository.ReadReferencesAsync(await NewestAsync(_test, kept[1]), CancellationToken.None);
        await CompactAsync(_test, Options with { MinLive = 1 });
        await CollectAllAsync(_test);
        var after = await _test.Repository.ReadReferencesAsync(await NewestAsync(_test, kept[1]), CancellationToken.None);
        var own = after.Segments.Where(r => r.Point == kept[1].Point).SelectMany(r => r.Keys).ToList();
        Assert.Equal(before.Segments.Where(r => r.Point == kept[1].Point).SelectMany(r => r.Keys), own);
        Assert.Subset((await _test.KeysAsync(Keys.PointData(kept[1].Point))).ToHashSet(), own.ToHashSet());
        Assert.DoesNotContain(await _test.KeysAsync(Keys.PointData(kept[1].Point)), k => Keys.TryParseSegment(k) is not null && !own.Contains(k));
    }

    [Fact]
    public async Task Killed_at_any_change_and_run_again_it_ends_right()
    {
        for (var n = 1; ; n++)
        {
            await using var test = await TestRepository.OpenAsync(inMemory: true);
            _images.Clear();
            var kept = await PrunedAsync(test, 200_000);
            test.Store.DieAt(n);
            var killed = await Record.ExceptionAsync(() => CompactAsync(test)) is KilledException;
            test.Store.OnChange = _ => { };
            await AssertAllShowAsync(test, kept, _keptImages);
            await CompactAsync(test);
            await AssertAllShowAsync(test, kept, _keptImages);
            await CollectAllAsync(test);
            await AssertAllShowAsync(test, kept, _keptImages);
            await AssertNothingIsLeftAsync(test, kept);
            if (!killed)
            {
                Assert.True(n > 8, $"only {n} changes");
                return;
            }
        }
    }

    [Fact]
    public async Task A_reader_whose_segments_are_gone_goes_on_with_the_newest_revision()
    {
        var kept = await PrunedAsync(_test);
        var chain = await _test.Repository.ReadChainAsync(await NewestAsync(_test, kept[2]), CancellationToken.None);
        await CompactAsync(_test);
        await CollectAllAsync(_test);
        using var output = new MemoryStream();
        await new PointStream(_test.Repository).ExportFullAsync(chain, output, IProgressReporter.None, CancellationToken.None);
        Assert.Equal(_keptImages[2], await Images.ApplyAsync([], output.ToArray()));
    }

    [Fact]
    public async Task A_restore_whose_segments_go_while_it_writes_ends_right()
    {
        var kept = await PrunedAsync(_test);
        var chain = await _test.Repository.ReadChainAsync(await NewestAsync(_test, kept[2]), CancellationToken.None);
        var doomed = Assert.Single(await CompactAsync(_test, dryRun: true)).Plan.Segments.Select(d => Keys.Segment(d.Point, d.Number, d.Attempt)).ToHashSet();
        await using var image = new MemoryImage(chain[^1].Size);
        var moved = false;
        _test.Store.OnRead = (key, _, _) =>
        {
            // The first frame was read: now all is written again and collected.
            if (!moved && Keys.TryParseSegment(key) is not null)
            {
                moved = true;
                CompactAsync(_test).GetAwaiter().GetResult();
                CollectAllAsync(_test).GetAwaiter().GetResult();
            }
        };
        await new ImageFiller(_test.Repository, writesInFlight: 1).FillAsync(chain, image, image, IProgressReporter.None, CancellationToken.None);
        Assert.True(moved);
        var needed = (await _test.Repository.ReadReferencesAsync(await NewestAsync(_test, kept[2]), CancellationToken.None)).Segments.SelectMany(r => r.Keys);
        Assert.True(doomed.Count > 1);
        Assert.Empty(doomed.Intersect(needed));
        Assert.Empty(doomed.Intersect(await _test.KeysAsync()));
        Assert.Equal(_keptImages[2], image.Bytes);
    }

    [Fact]
    public async Task A_point_that_is_pruned_meanwhile_stays_gone()
    {
        var kept = await PrunedAsync(_test);
        var pruned = await NewestAsync(_test, kept[0]);
        await AtFirstAsync("/references.", () => PruneAsync(_test, [pruned]), () => CompactAsync(_test));
        await CollectAllAsync(_test);
        Assert.Null(await _test.Repository.FindNewestAsync(pruned, CancellationToken.None));
        await AssertAllShowAsync(_test, kept.Skip(1), _keptImages[1..]);
        await CompactAsync(_test);
        await CollectAllAsync(_test);
        await AssertNothingIsLeftAsync(_test, kept[1..]);
    }

    [Fact]
    public async Task A_point_that_is_pruned_right_before_its_manifest_is_written_stays_gone()
    {
        var kept = await PrunedAsync(_test);
        var pruned = await NewestAsync(_test, kept[0]);
        await AtFirstAsync($"/{pruned.Point}.{pruned.Revision + 1:D6}.", () => PruneAsync(_test, [pruned]), () => CompactAsync(_test));
        Assert.Null(await _test.Repository.FindNewestAsync(pruned, CancellationToken.None));
        await CollectAllAsync(_test);
        Assert.Null(await _test.Repository.FindNewestAsync(pruned, CancellationToken.None));
        Assert.DoesNotContain(await _test.KeysAsync(Keys.PointsPrefix), k => k.Contains($"{pruned.Point}", StringComparison.Ordinal));
        await AssertAllShowAsync(_test, kept.Skip(1), _keptImages[1..]);
    }

    [Fact]
    public async Task A_consolidation_that_read_the_older_revision_loses_nothing()
    {
        var kept = await PrunedAsync(_test);
        var image = Images.Changed(_random, _keptImages[2]);
        var above = await _test.AddAsync(image, Images.Difference(_keptImages[2], image), await NewestAsync(_test, kept[2]));
        await AtFirstAsync(
            "/references.",
            async () =>
            {
                await CompactAsync(_test);
                await CollectAsync(_test, wait: false);
            },
            () => new Consolidator(_test.Repository, Small).ConsolidateAsync(above, IProgressReporter.None, CancellationToken.None));
        await CollectAllAsync(_test);
        await AssertAllShowAsync(_test, [.. kept, above], [.. _keptImages, image]);
        await CompactAsync(_test);
        await CollectAllAsync(_test);
        await AssertAllShowAsync(_test, [.. kept, above], [.. _keptImages, image]);
    }

    [Fact]
    public async Task Two_at_the_same_time_lose_nothing()
    {
        var kept = await PrunedAsync(_test);
        await Task.WhenAll(CompactAsync(_test), CompactAsync(_test));
        await AssertAllShowAsync(_test, kept, _keptImages);
        await CollectAllAsync(_test);
        await AssertAllShowAsync(_test, kept, _keptImages);
        await CompactAsync(_test);
        await CollectAllAsync(_test);
        await AssertNothingIsLeftAsync(_test, kept);
    }

    [Fact]
    public async Task A_collection_right_before_the_commit_deletes_nothing_that_it_needs()
    {
        var kept = await PrunedAsync(_test);
        await AtFirstAsync(".json", () => CollectAsync(_test, wait: false), () => CompactAsync(_test));
        await CollectAllAsync(_test);
        await AssertAllShowAsync(_test, kept, _keptImages);
    }

    [Fact]
    public async Task One_that_takes_too_long_changes_no_point()
    {
        var kept = await PrunedAsync(_test);
        var newest = await NewestAsync(_test, kept[0]);
        await AtFirstAsync(
            "/references.",
            () =>
            {
                _test.Time.Now += TimeSpan.FromDays(1.1);
                return Task.CompletedTask;
            },
            async () => Assert.Equal(ErrorKind.Refused, Assert.Single(await CompactAsync(_test)).Error!.Kind));
        Assert.Equal(newest.Revision, (await NewestAsync(_test, kept[0])).Revision);
        await AssertAllShowAsync(_test, kept, _keptImages);
        await CollectAllAsync(_test);
        await AssertNothingIsLeftAsync(_test, kept);
    }

    [Fact]
    public async Task A_damaged_frame_fails_its_disks_and_changes_nothing()
    {
        var kept = await PrunedAsync(_test);
        var doomed = Assert.Single(await CompactAsync(_test, dryRun: true)).Plan.Segments[0];
        var newest = await NewestAsync(_test, kept[0]);
        _test.Store.OnRead = (key, offset, bytes) =>
        {
            if (key == Keys.Segment(doomed.Point, doomed.Number, doomed.Attempt) && offset + bytes.Length < doomed.Length)
            {
                bytes.Span[^1] ^= 1;
            }
        };
        Assert.Equal(ErrorKind.Corrupt, Assert.Single(await CompactAsync(_test)).Error!.Kind);
        _test.Store.OnRead = (_, _, _) => { };
        Assert.Equal(newest.Revision, (await NewestAsync(_test, kept[0])).Revision);
        await AssertAllShowAsync(_test, kept, _keptImages);
    }

    [Fact]
    public async Task A_point_whose_references_are_damaged_is_passed_over_and_loses_nothing()
    {
        var kept = await PrunedAsync(_test);
        var newest = await NewestAsync(_test, kept[0]);
        var damaged = new List<RbdBackupException>();
        _test.Store.Flip(newest.References.Key, 5, 1);
        var results = await new CompactRunner(_test.Repository, Options, Small)
            .RunAsync(false, damaged.Add, IProgressReporter.None, CancellationToken.None).ToListAsync();
        Assert.DoesNotContain(newest.Point, results.SelectMany(r => r.Points).Select(p => p.Point));
        Assert.Contains(newest.References.Key, Assert.Single(damaged).Message, StringComparison.Ordinal);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => CollectAsync(_test))).Kind);
        _test.Store.OnRead = (_, _, _) => { };
        await CollectAllAsync(_test);
        await AssertAllShowAsync(_test, kept, _keptImages);
    }

    private byte[][] _keptImages = [];

    /// <summary>Three points that are left of twelve; dead data lies beside what they show.</summary>
    private async Task<Manifest[]> PrunedAsync(TestRepository test, int size = 600_000)
    {
        var chain = await ForeverAsync(12, size, test);
        Manifest[] kept = [chain[5], chain[8], chain[11]];
        _keptImages = [_images[5], _images[8], _images[11]];
        await PruneAsync(test, chain.Except(kept));
        await CollectAllAsync(test);
        return kept;
    }

    /// <summary>A full and increments on it; each time some blocks are written.</summary>
    private async Task<List<Manifest>> ForeverAsync(int points, int size, TestRepository? test = null, int everyBlock = 3)
    {
        var chain = new List<Manifest>();
        for (var n = 0; n < points; n++)
        {
            var image = n == 0 ? new byte[size] : [.. _images[^1]];
            for (var at = 0; at + 4096 <= size; at += 4096)
            {
                if (n == 0 || _random.Next(everyBlock) == 0)
                {
                    _random.NextBytes(image.AsSpan(at, 4096));
                }
            }

            chain.Add(await (test ?? _test).AddAsync(image, Images.Difference(n == 0 ? [] : _images[^1], image), chain.LastOrDefault()));
            _images.Add(image);
        }

        return chain;
    }

    /// <summary>Does something else right before the first change of a key like this.</summary>
    private async Task AtFirstAsync(string key, Func<Task> interrupt, Func<Task> run)
    {
        var interrupted = false;
        _test.Store.OnChange = changed =>
        {
            if (!interrupted && changed.Contains(key, StringComparison.Ordinal))
            {
                interrupted = true;
                _test.Store.OnChange = _ => { };
                interrupt().GetAwaiter().GetResult();
            }
        };
        await run();
        Assert.True(interrupted, $"{key} was never written");
    }

    private static async Task<List<CompactResult>> CompactAsync(TestRepository test, CompactOptions? options = null, bool dryRun = false, bool large = false) =>
        await new CompactRunner(test.Repository, options ?? Options, large ? null : Small)
            .RunAsync(dryRun, e => throw e, IProgressReporter.None, CancellationToken.None).ToListAsync();

    private static Task<PrunePlan> PruneAsync(TestRepository test, IEnumerable<Manifest> points, bool large = false) =>
        new PruneRunner(test.Repository, new PointRemover(test.Repository, new Consolidator(test.Repository, large ? null : Small)))
            .RunAsync(new PruneAsk([.. points.Select(p => p.Point)], false, true, false), e => throw e, IProgressReporter.None, CancellationToken.None);

    private static async Task CollectAllAsync(TestRepository test)
    {
        for (var n = 0; n < 6; n++)
        {
            await CollectAsync(test);
        }
    }

    private static Task<GarbageResult> CollectAsync(TestRepository test, bool wait = true)
    {
        test.Time.Now += wait ? TimeSpan.FromDays(4) : TimeSpan.Zero;
        return new GarbageCollector(test.Repository, Garbage, test.Time).RunAsync(false, IProgressReporter.None, CancellationToken.None);
    }

    private static async Task<long> StoredAsync(TestRepository test) =>
        await test.Store.ListAsync(Keys.DataPrefix, CancellationToken.None).Select(o => o.Length).SumAsync();

    private static Task<Manifest> NewestAsync(TestRepository test, Manifest point) => test.Repository.FindAsync(point.Point, CancellationToken.None);

    private static async Task AssertAllShowAsync(TestRepository test, IEnumerable<Manifest> points, IEnumerable<byte[]> images)
    {
        foreach (var (point, image) in points.Zip(images))
        {
            var shown = await Images.ApplyAsync([], await test.ExportFullAsync(await NewestAsync(test, point)));
            Assert.True(shown.AsSpan().SequenceEqual(image), $"point {point.Point} gives another image");
        }
    }

    private static async Task AssertNothingIsLeftAsync(TestRepository test, Manifest[] points)
    {
        var referred = new HashSet<string>();
        foreach (var point in points)
        {
            var newest = await NewestAsync(test, point);
            var references = await test.Repository.ReadReferencesAsync(newest, CancellationToken.None);
            referred.UnionWith([.. references.Objects, .. references.Segments.SelectMany(s => s.Keys), newest.References.Key]);
        }

        Assert.Equal(referred.Order(StringComparer.Ordinal), await test.KeysAsync(Keys.DataPrefix));
        Assert.Equal(points.Length, (await test.KeysAsync(Keys.PointsPrefix)).Count);
    }
}
