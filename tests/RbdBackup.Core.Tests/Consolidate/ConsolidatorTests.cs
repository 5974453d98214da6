using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Consolidate;

/// <summary>Points that become independent: what they show, what they keep, and what happens around them.</summary>
public sealed class ConsolidatorTests : IAsyncLifetime
{
    private static readonly GarbageOptions Options = new(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
    private static readonly MergedLayout Small = new(32 << 10, 100);
    private readonly Random _random = new(3);
    private readonly List<byte[]> _images = [];
    private TestRepository _test = null!;

    public async Task InitializeAsync() => _test = await TestRepository.OpenAsync("zstd:1");

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task An_independent_point_is_a_new_revision_that_says_where_it_comes_from()
    {
        var chain = await ChainAsync(3);
        var made = (await ConsolidateAsync(chain[2])).Point;
        Assert.Equal((2, true, chain[0].Created), (made.Revision, made.Independent, made.ChainStart));
        Assert.Equal((chain[2].Base, null), (made.Base, made.Needs));
        Assert.Contains(RepositoryFormat.MergedIndex, made.RequiredFeatures);
        var same = chain[2] with
        {
            Revision = 2,
            RequiredFeatures = made.RequiredFeatures,
            Independent = true,
            ChainStart = made.ChainStart,
            Attempt = made.Attempt,
            Index = made.Index,
            References = made.References,
        };
        Assert.Equal(ManifestCodec.Write(same), ManifestCodec.Write(made));
        var found = await _test.Repository.FindAsync(made.Point, CancellationToken.None);
        Assert.Equal(2, found.Revision);
        Assert.Single(await _test.Repository.ReadChainAsync(found, CancellationToken.None));
    }

    [Fact]
    public async Task A_point_that_needs_no_other_stays_as_it_is()
    {
        var chain = await ChainAsync(2);
        await ConsolidateAsync(chain[1]);
        var keys = await _test.KeysAsync();
        Assert.Equal(0, (await ConsolidateAsync(chain[0])).IndexBytes);
        Assert.Equal(0, (await ConsolidateAsync(chain[1])).IndexBytes);
        Assert.Equal(keys, await _test.KeysAsync());
    }

    [Fact]
    public async Task A_merged_index_uses_the_pages_of_the_one_that_it_is_built_on()
    {
        var chain = await ChainAsync(3);
        var below = (await ConsolidateAsync(chain[1], Small)).Point;
        var made = (await ConsolidateAsync(chain[2], Small)).Point;
        var objects = (await _test.Repository.ReadMergedIndexAsync(made, CancellationToken.None)).Objects.Select(o => o.Key).ToList();
        Assert.Contains(objects, k => Keys.PointOfData(k) == below.Point);
        Assert.Contains(objects, k => k.Contains("/leaves.", StringComparison.Ordinal));
        Assert.Subset((await _test.Repository.ReadReferencesAsync(made, CancellationToken.None)).Objects.ToHashSet(), objects.ToHashSet());
        await AssertShowsAsync(made, _images[2]);
    }

    [Fact]
    public async Task A_stack_is_never_deeper_than_the_period()
    {
        var point = (await ChainAsync(1))[0];
        for (var n = 0; n < 3 * LeafPlanner.Period; n++)
        {
            _images.Add(Images.Changed(_random, _images[^1]));
            var next = await _test.AddAsync(_images[^1], Images.Difference(_images[^2], _images[^1]), point);
            point = (await ConsolidateAsync(next, Small)).Point;
            var directory = await _test.Repository.ReadMergedIndexAsync(point, CancellationToken.None);
            var leaves = new LeafReader(_test.Store, _test.Codec, point.Index.Key, directory);
            for (var leaf = 0; leaf * Small.LeafBytes < point.Size; leaf++)
            {
                Assert.InRange((await leaves.FindAsync(leaf, CancellationToken.None))?.Layers.Count ?? 0, 0, LeafPlanner.Period);
            }
        }

        await AssertShowsAsync(point, _images[^1]);
    }

    [Fact]
    public async Task Killed_at_any_change_and_run_again_it_ends_right()
    {
        for (var n = 1; ; n++)
        {
            await using var test = await TestRepository.OpenAsync();
            var before = Images.Random(_random, 60_000);
            var after = Images.Changed(_random, before);
            var full = await test.AddAsync(before, Images.Difference([], before));
            var point = await test.AddAsync(after, Images.Difference(before, after), full);
            var prune = new PruneRunner(test.Repository, new PointRemover(test.Repository, new Consolidator(test.Repository, Small)));
            Task PruneAsync() => prune.RunAsync(new PruneAsk([full.Point], false, true, false), e => throw e, IProgressReporter.None, CancellationToken.None);
            test.Store.DieAt(n);
            var killed = await Record.ExceptionAsync(PruneAsync) is KilledException;
            test.Store.OnChange = _ => { };
            Assert.Equal(after, await Images.ApplyAsync([], await test.ExportFullAsync(await test.Repository.FindAsync(point.Point, CancellationToken.None))));
            await PruneAsync();
            for (var i = 0; i < 5; i++)
            {
                await CollectAsync(test);
            }

            var left = await test.Repository.FindAsync(point.Point, CancellationToken.None);
            var references = await test.Repository.ReadReferencesAsync(left, CancellationToken.None);
            Assert.Equal(
                [.. references.Objects.Concat(references.Segments.SelectMany(s => s.Keys)).Append(left.References.Key).Order(StringComparer.Ordinal)],
                await test.KeysAsync(Keys.DataPrefix));
            Assert.Single(await test.KeysAsync(Keys.PointsPrefix));
            Assert.Equal(after, await Images.ApplyAsync([], await test.ExportFullAsync(left)));
            if (!killed)
            {
                Assert.True(n > 5);
                return;
            }
        }
    }

    [Fact]
    public async Task A_reader_whose_index_is_gone_goes_on_with_the_newest_revision()
    {
        var chain = await ChainAsync(3);
        await PruneAsync(chain[0], chain[1]);
        await CollectAllAsync();
        using var output = new MemoryStream();
        await new PointStream(_test.Repository).ExportFullAsync(chain, output, IProgressReporter.None, CancellationToken.None);
        Assert.Equal(_images[2], await Images.ApplyAsync([], output.ToArray()));
    }

    [Fact]
    public async Task A_reader_whose_frames_moved_goes_on_with_the_newest_revision()
    {
        var chain = await ChainAsync(2);
        var reader = new ChainReader(_test.Repository, chain);
        var moved = await MoveAsync(chain[1]);
        using var output = new MemoryStream();
        await new PointStream(_test.Repository).ExportFullAsync(chain, output, IProgressReporter.None, CancellationToken.None);
        Assert.Equal(_images[1], await Images.ApplyAsync([], output.ToArray()));
        Assert.Equal(2, moved.Revision);
        var missing = new RbdBackupException(ErrorKind.NotFound, "data/x is not there");
        await reader.ReadAgainAsync(0, 1000, missing, CancellationToken.None);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => reader.ReadAgainAsync(0, 1000, missing, CancellationToken.None))).Kind);
    }

    [Fact]
    public async Task A_lost_segment_is_damage_and_a_removed_point_is_not()
    {
        var chain = await ChainAsync(2);
        await _test.Store.DeleteAsync((await _test.Repository.ReadIndexAsync(chain[0], CancellationToken.None)).Segments[0].Keys.First(), CancellationToken.None);
        var lost = await Assert.ThrowsAsync<RbdBackupException>(() => _test.ExportFullAsync(chain[1]));
        Assert.Equal(ErrorKind.Corrupt, lost.Kind);
        await PruneAsync(chain[1]);
        await CollectAllAsync();
        var removed = await Assert.ThrowsAsync<RbdBackupException>(
            () => new PointStream(_test.Repository).ExportFullAsync(chain, Stream.Null, IProgressReporter.None, CancellationToken.None));
        Assert.Equal(ErrorKind.NotFound, removed.Kind);
        Assert.Contains("was removed", removed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Older_revisions_go_in_two_phases_and_what_they_alone_refer_to_after_them()
    {
        var chain = await ChainAsync(2);
        var made = (await ConsolidateAsync(chain[1])).Point;
        var older = Assert.Single(await _test.KeysAsync(Keys.PointsPrefix), k => k.Contains($"{made.Point}.000001.", StringComparison.Ordinal));
        Assert.Equal(1, (await CollectAsync(_test, wait: false)).Candidates);
        Assert.Contains(older, await _test.KeysAsync(Keys.PointsPrefix));
        Assert.Equal(1, (await CollectAsync(_test)).Deleted);
        Assert.DoesNotContain(older, await _test.KeysAsync(Keys.PointsPrefix));
        Assert.Contains(chain[1].Index.Key, await _test.KeysAsync());
        await CollectAllAsync();
        Assert.DoesNotContain(chain[1].Index.Key, await _test.KeysAsync());
        await AssertShowsAsync(made, _images[1]);
        await AssertShowsAsync(chain[0], _images[0]);
    }

    [Fact]
    public async Task Nothing_that_an_unlisted_revision_refers_to_is_deleted()
    {
        var chain = await ChainAsync(3);
        await PruneAsync(chain[0]);
        _test.Store.Hidden = key => key.Contains(".000002.", StringComparison.Ordinal);
        await CollectAllAsync();
        _test.Store.Hidden = _ => false;
        await AssertShowsAsync(await _test.Repository.FindAsync(chain[1].Point, CancellationToken.None), _images[1]);
        await AssertShowsAsync(await _test.Repository.FindAsync(chain[2].Point, CancellationToken.None), _images[2]);
    }

    [Fact]
    public async Task A_point_that_is_committed_on_one_that_goes_is_made_independent_too()
    {
        var chain = await ChainAsync(3);
        var image = Images.Changed(_random, _images[2]);
        var draft = await _test.DraftAsync(image, Images.Difference(_images[2], image), chain[2]);
        _test.Store.OnChange = key =>
        {
            if (key.EndsWith(".aborted", StringComparison.Ordinal))
            {
                _test.Store.OnChange = _ => { };
                _test.Repository.CommitAsync(draft, CancellationToken.None).GetAwaiter().GetResult();
            }
        };
        await new PointRemover(_test.Repository, new Consolidator(_test.Repository))
            .RemoveAsync([chain[0], chain[2], chain[1]], chain, IProgressReporter.None, CancellationToken.None);
        await CollectAllAsync();
        Assert.Single(await _test.KeysAsync(Keys.PointsPrefix));
        var left = await _test.Repository.FindAsync(draft.Point, CancellationToken.None);
        Assert.True(left.Independent);
        await AssertShowsAsync(left, image);
    }

    [Fact]
    public async Task A_plan_that_a_running_increment_stands_on_refuses_a_prune_until_it_is_given_up()
    {
        var chain = await ChainAsync(2);
        var draft = await _test.DraftAsync(_images[1], [], chain[1]);
        Assert.Equal(ErrorKind.Refused, (await Assert.ThrowsAsync<RbdBackupException>(() => PruneAsync(chain[1]))).Kind);
        await PruneAsync(chain[0]);
        await _test.Repository.AbortAsync(draft.Disk.Key, draft.Point, CancellationToken.None);
        await _test.AddAsync(_images[1], Images.Difference([], _images[1]));
        await PruneAsync(chain[1]);
    }

    [Fact]
    public async Task Two_at_the_same_time_make_points_that_show_the_same()
    {
        var chain = await ChainAsync(2);
        var both = await Task.WhenAll(ConsolidateAsync(chain[1]), ConsolidateAsync(chain[1]));
        await AssertShowsAsync(both[0].Point, _images[1]);
        await AssertShowsAsync(both[1].Point, _images[1]);
        await PruneAsync(chain[0]);
        await CollectAllAsync();
        Assert.Single(await _test.KeysAsync(Keys.PointsPrefix));
        await AssertShowsAsync(await _test.Repository.FindAsync(chain[1].Point, CancellationToken.None), _images[1]);
    }

    [Fact]
    public async Task Dead_segments_of_pruned_points_are_garbage_and_living_ones_are_not()
    {
        // The first half of the image is written again by the increment, exactly along the full's segments.
        var half = TestRepository.SmallCut.SegmentBytes;
        var before = new byte[2 * half];
        _random.NextBytes(before);
        var after = before.ToArray();
        _random.NextBytes(after.AsSpan(0, half));
        var full = await _test.AddAsync(before, [new Extent(0, before.Length, true)]);
        var point = await _test.AddAsync(after, [new Extent(0, half, true)], full);
        await PruneAsync(full);
        await CollectAllAsync();
        var left = (await _test.KeysAsync(Keys.PointData(full.Point))).Select(Keys.TryParseSegment).ToList();
        Assert.Equal(1, Assert.Single(left)!.Value.Number);
        await AssertShowsAsync(await _test.Repository.FindAsync(point.Point, CancellationToken.None), after);
        var live = (await _test.Repository.ReadReferencesAsync(await _test.Repository.FindAsync(point.Point, CancellationToken.None), CancellationToken.None)).Segments;
        Assert.InRange(live.Single(r => r.Point == full.Point).LiveBytes, half, half + 1000);
    }

    [Fact]
    public async Task A_flipped_bit_in_a_merged_index_is_found_or_changes_nothing()
    {
        var chain = await ChainAsync(3);
        await ConsolidateAsync(chain[1], Small);
        var made = (await ConsolidateAsync(chain[2], Small)).Point;
        var found = 0;
        foreach (var key in (await _test.KeysAsync(Keys.DataPrefix)).Where(k => k.Contains("/index.", StringComparison.Ordinal) || k.Contains("/leaves.", StringComparison.Ordinal)))
        {
            var length = (await _test.Store.StatAsync(key, CancellationToken.None))!.Length;
            for (var i = 0; i < 150; i++)
            {
                _test.Store.Flip(key, _random.NextInt64(length), _random.Next(8));
                try
                {
                    await AssertShowsAsync(made, _images[2]);
                }
                catch (RbdBackupException e)
                {
                    Assert.Equal(ErrorKind.Corrupt, e.Kind);
                    found++;
                }
            }
        }

        Assert.True(found > 200, $"{found} were found");
    }

    /// <summary>What a compaction does: an independent revision whose frames are in segments of another attempt; the old ones are gone.</summary>
    private async Task<Manifest> MoveAsync(Manifest point)
    {
        var attempt = AttemptId.New();
        var made = (await ConsolidateAsync(point)).Point;
        var cursor = await _test.Repository.OpenIndexAsync(made, CancellationToken.None);
        var pieces = (await cursor.ReadAsync(0, made.Size, CancellationToken.None)).Select(p => p with { Frame = p.Frame! with { Attempt = attempt } }).ToList();
        foreach (var run in (await _test.Repository.ReadReferencesAsync(made, CancellationToken.None)).Segments)
        {
            for (var n = run.First; n <= run.Last; n++)
            {
                File.Move(Path.Combine(_test.Folder, Keys.Segment(run.Point, n, run.Attempt)), Path.Combine(_test.Folder, Keys.Segment(run.Point, n, attempt)));
            }
        }

        var writer = new MergedIndexWriter(_test.Repository, made.Point, attempt, Small, 0);
        for (var leaf = 0L; leaf * Small.LeafBytes < made.Size; leaf++)
        {
            var (start, end) = (leaf * Small.LeafBytes, (leaf + 1) * Small.LeafBytes);
            await writer.AddAsync(leaf, [.. pieces.Select(p => p.Clip(start, end)).Where(p => p.Length > 0)], [], CancellationToken.None);
        }

        foreach (var key in (await _test.KeysAsync(Keys.PointsPrefix)).Where(k => k.Contains($"{point.Point}.", StringComparison.Ordinal)))
        {
            await _test.Store.DeleteAsync(key, CancellationToken.None);
        }

        made = made with { Attempt = attempt, Index = await writer.FinishAsync(CancellationToken.None) };
        await _test.Repository.CommitAsync(made, CancellationToken.None);
        return made;
    }

    private async Task<List<Manifest>> ChainAsync(int points)
    {
        var chain = new List<Manifest>();
        for (var n = 0; n < points; n++)
        {
            _images.Add(n == 0 ? Images.Random(_random, 300_000) : Images.Changed(_random, _images[^1]));
            chain.Add(await _test.AddAsync(_images[n], Images.Difference(n == 0 ? [] : _images[n - 1], _images[n]), chain.LastOrDefault()));
        }

        return chain;
    }

    private Task<ConsolidateResult> ConsolidateAsync(Manifest point, MergedLayout? layout = null) =>
        new Consolidator(_test.Repository, layout).ConsolidateAsync(point, IProgressReporter.None, CancellationToken.None);

    private Task<PrunePlan> PruneAsync(params Manifest[] points) =>
        new PruneRunner(_test.Repository, new PointRemover(_test.Repository, new Consolidator(_test.Repository, Small)))
            .RunAsync(new PruneAsk([.. points.Select(p => p.Point)], false, true, false), e => throw e, IProgressReporter.None, CancellationToken.None);

    private async Task CollectAllAsync()
    {
        for (var n = 0; n < 5; n++)
        {
            await CollectAsync(_test);
        }
    }

    private static Task<GarbageResult> CollectAsync(TestRepository test, bool wait = true)
    {
        test.Time.Now += wait ? TimeSpan.FromDays(4) : TimeSpan.Zero;
        return new GarbageCollector(test.Repository, Options, test.Time).RunAsync(false, IProgressReporter.None, CancellationToken.None);
    }

    private async Task AssertShowsAsync(Manifest point, byte[] image) =>
        Assert.True((await Images.ApplyAsync([], await _test.ExportFullAsync(point))).AsSpan().SequenceEqual(image));
}
