using RbdBackup.Core.Backup;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>Rotation and collection on a folder: what goes, what stays, and when.</summary>
public sealed class GarbageCollectorTests : IAsyncLifetime
{
    private static readonly GarbageOptions Options = new(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
    private readonly byte[] _image = Images.Random(new Random(1), 30_000);
    private TestRepository _test = null!;

    public async Task InitializeAsync() => _test = await TestRepository.OpenAsync();

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task Rotation_removes_manifests_and_collection_their_data_in_two_phases()
    {
        var old = await AddAsync();
        _test.Time.Now += TimeSpan.FromDays(10);
        var present = await AddAsync();
        var data = await _test.KeysAsync(Keys.DataPrefix);
        Assert.Equal([false, true], (await RotateAsync(dryRun: true)).Select(v => v.Keep));
        Assert.Equal(2, (await _test.KeysAsync(Keys.PointsPrefix)).Count);
        Assert.Equal([false, true], (await RotateAsync()).Select(v => v.Keep));
        Assert.Contains(present.Point.ToString(), Assert.Single(await _test.KeysAsync(Keys.PointsPrefix), k => Keys.TryParseManifest(k) is not null), StringComparison.Ordinal);

        var doomed = data.Count(k => Keys.PointOfData(k) == old.Point);
        Assert.Equal(new GarbageResult(doomed, 0, 0), await CollectAsync(dryRun: true));
        Assert.Empty(await _test.KeysAsync(Keys.GarbagePrefix));
        Assert.Equal(new GarbageResult(doomed, 0, 0), await CollectAsync());
        Assert.Equal(0, (await CollectAsync()).Candidates);
        _test.Time.Now += Options.Grace - TimeSpan.FromMinutes(1);
        Assert.Equal(0, (await CollectAsync()).Deleted);
        Assert.Equal(data, await _test.KeysAsync(Keys.DataPrefix));
        _test.Time.Now += TimeSpan.FromMinutes(1);
        Assert.Equal(doomed, (await CollectAsync()).Deleted);
        Assert.Equal(data.Where(k => Keys.PointOfData(k) == present.Point), await _test.KeysAsync(Keys.DataPrefix));
        Assert.Empty(await _test.KeysAsync(Keys.GarbagePrefix));
        Assert.Equal(_image, await Images.ApplyAsync([], await _test.ExportAsync(present)));
    }

    [Fact]
    public async Task A_damaged_list_of_candidates_delays_the_collection_and_does_not_end_it()
    {
        var draft = await _test.DraftAsync(_image, Images.Difference([], _image));
        await _test.Repository.AbortAsync(draft.Disk.Key, draft.Point, CancellationToken.None);
        var doomed = (await CollectAsync()).Candidates;
        await File.WriteAllTextAsync(Path.Combine(_test.Folder, Assert.Single(await _test.KeysAsync(Keys.GarbagePrefix))), "{\"format\":1,\"candi");
        _test.Time.Now += Options.Grace;
        Assert.Equal(new GarbageResult(doomed, 0, 0), await CollectAsync());
        Assert.Single(await _test.KeysAsync(Keys.GarbagePrefix));
        _test.Time.Now += Options.Grace;
        Assert.Equal(doomed, (await CollectAsync()).Deleted);
    }

    [Fact]
    public async Task A_point_that_is_being_made_keeps_its_data_and_its_base()
    {
        var full = await AddAsync();
        _test.Time.Now += TimeSpan.FromDays(10);
        await AddAsync();
        var draft = await _test.DraftAsync(_image, [], full);
        Assert.Contains("an increment stands on it", (await RotateAsync()).Single(v => v.Point.Point == full.Point).Reasons);
        Assert.Equal(0, (await CollectAsync()).Candidates);
        await _test.Repository.CommitAsync(draft, CancellationToken.None);
        _test.Time.Now += TimeSpan.FromDays(30);
        Assert.Equal(new GarbageResult(0, 0, 0), await CollectAsync());
    }

    [Fact]
    public async Task An_aborted_point_is_collected_and_then_its_marker()
    {
        var draft = await _test.DraftAsync(_image, Images.Difference([], _image));
        await _test.Repository.AbortAsync(draft.Disk.Key, draft.Point, CancellationToken.None);
        Assert.True((await CollectAsync()).Candidates > 0);
        _test.Time.Now += Options.Grace;
        await CollectAsync();
        Assert.Empty(await _test.KeysAsync(Keys.DataPrefix));
        _test.Time.Now += Options.JobDeadline + Options.Grace;
        await CollectAsync();
        Assert.Empty(await _test.KeysAsync(Keys.PointsPrefix));
    }

    [Fact]
    public async Task What_an_attempt_left_beside_a_committed_point_goes()
    {
        var point = await AddAsync();
        await _test.PutPlanAsync(_test.Head(1) with { Point = point.Point }, [], AttemptId.New());
        Assert.Equal(1, (await CollectAsync()).Candidates);
        _test.Time.Now += Options.Grace;
        Assert.Equal(1, (await CollectAsync()).Deleted);
        Assert.Equal(_image, await Images.ApplyAsync([], await _test.ExportAsync(point)));
    }

    [Fact]
    public async Task Nothing_is_deleted_because_a_listing_lacked_a_name()
    {
        var point = await AddAsync();
        _test.Time.Now += TimeSpan.FromDays(30);
        _test.Store.Hidden = key => key.StartsWith(Keys.PointsPrefix, StringComparison.Ordinal);
        Assert.Equal(0, (await CollectAsync()).Candidates);
        _test.Time.Now += Options.Grace;
        Assert.Equal(0, (await CollectAsync()).Deleted);
        Assert.Equal(_image, await Images.ApplyAsync([], await _test.ExportAsync(point)));
    }

    [Fact]
    public async Task A_manifest_that_cannot_be_read_stops_the_collection()
    {
        var point = await AddAsync();
        await _test.PutPlanAsync(_test.Head(1) with { Point = point.Point }, [], AttemptId.New());
        await CollectAsync();
        _test.Time.Now += Options.Grace;
        var keys = await _test.KeysAsync();
        _test.Store.Flip(Assert.Single(await _test.KeysAsync(Keys.PointsPrefix)), 200, 3);
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => CollectAsync());
        Assert.Equal(ErrorKind.Corrupt, error.Kind);
        Assert.Contains(point.Point.ToString(), error.Message, StringComparison.Ordinal);
        Assert.Equal(keys, await _test.KeysAsync());
    }

    [Fact]
    public async Task A_point_that_goes_while_manifests_are_read_does_not_stop_the_collection()
    {
        var old = await AddAsync();
        _test.Time.Now += TimeSpan.FromDays(10);
        var present = await AddAsync();
        var listed = 0;
        _test.Store.Hidden = key =>
        {
            // The first listing looks for marks, the second one names the manifests that are then read.
            if (Keys.TryParseManifest(key)?.Point == old.Point && ++listed == 2)
            {
                RotateAsync().GetAwaiter().GetResult();
            }

            return false;
        };
        await CollectAsync();
        Assert.True(listed >= 2);
        _test.Store.Hidden = _ => false;
        _test.Time.Now += Options.Grace;
        await CollectAsync();
        _test.Time.Now += Options.Grace;
        await CollectAsync();
        Assert.All(await _test.KeysAsync(Keys.DataPrefix), k => Assert.Equal(present.Point, Keys.PointOfData(k)));
        Assert.Equal(_image, await Images.ApplyAsync([], await _test.ExportAsync(present)));
    }

    [Fact]
    public async Task Another_collection_that_takes_the_lists_away_does_not_stop_it()
    {
        var point = await AddAsync();
        await _test.PutPlanAsync(_test.Head(1) with { Point = point.Point }, [], AttemptId.New());
        Assert.Equal(1, (await CollectAsync()).Candidates);
        _test.Time.Now += Options.Grace;
        var overtaken = false;
        _test.Store.Hidden = key =>
        {
            if (!overtaken && Keys.TryParseGarbage(key) is not null)
            {
                overtaken = true;
                Assert.Equal(1, CollectAsync().GetAwaiter().GetResult().Deleted);
            }

            return false;
        };
        Assert.Equal(new GarbageResult(0, 0, 0), await CollectAsync());
        Assert.True(overtaken);
        Assert.Empty(await _test.KeysAsync(Keys.GarbagePrefix));
        Assert.Empty(await _test.KeysAsync(Keys.CollectingPrefix));
        Assert.Equal(_image, await Images.ApplyAsync([], await _test.ExportAsync(point)));
    }

    [Fact]
    public async Task Killed_at_any_change_and_run_again_it_ends_right()
    {
        for (var n = 1; ; n++)
        {
            await using var test = await TestRepository.OpenAsync();
            var old = await test.AddAsync(_image, Images.Difference([], _image));
            await test.AddAsync(_image, [], old);
            test.Time.Now += TimeSpan.FromDays(10);
            var present = await test.AddAsync(_image, Images.Difference([], _image));
            var left = (await test.KeysAsync(Keys.DataPrefix)).Where(k => Keys.PointOfData(k) == present.Point).ToList();
            test.Store.DieAt(n);
            var killed = await Record.ExceptionAsync(() => RunAllAsync(test)) is KilledException;
            test.Store.OnChange = _ => { };
            await foreach (var listed in test.Repository.ReadAllAsync(Keys.PointsPrefix, null, CancellationToken.None))
            {
                await test.Repository.ReadChainAsync(listed, CancellationToken.None);
            }

            // Of an increment whose manifest went before the kill, the plan holds the base until it is collected itself: so twice.
            await RunAllAsync(test);
            await RunAllAsync(test);
            Assert.Equal(left, await test.KeysAsync(Keys.DataPrefix));
            Assert.Equal(_image, await Images.ApplyAsync([], await test.ExportFullAsync(present)));
            if (!killed)
            {
                Assert.True(n > 5);
                return;
            }
        }
    }

    [Fact]
    public async Task Results_of_verifications_go_with_their_points_and_of_each_kind_the_last_one_stays()
    {
        var old = await AddAsync();
        foreach (var kind in new[] { VerifyKind.Quick, VerifyKind.Data, VerifyKind.Quick, VerifyKind.Quick })
        {
            await VerifyAsync(old, kind);
            _test.Time.Now += TimeSpan.FromDays(1);
        }

        var results = await _test.KeysAsync(Keys.VerifiedPrefix);
        await CollectAsync();
        Assert.Equal(results, await _test.KeysAsync(Keys.VerifiedPrefix));
        _test.Time.Now += Options.KeepJobs;
        await CollectAsync();
        Assert.Equal([results[1], results[3]], await _test.KeysAsync(Keys.VerifiedPrefix));

        var present = await AddAsync();
        await VerifyAsync(present, VerifyKind.Quick);
        await RotateAsync();
        await CollectAsync();
        Assert.Equal(present.Point, Keys.TryParseVerified(Assert.Single(await _test.KeysAsync(Keys.VerifiedPrefix)))!.Point);
    }

    private async Task VerifyAsync(Manifest point, VerifyKind kind)
    {
        var runner = new VerifyRunner(_test.Repository, null, null, new VerifyOptions(2, "test"), new Throttle(0, _test.Time), _test.Time);
        var verdict = await runner.RunAsync(point, [], new VerifyAsk(kind), IProgressReporter.None, CancellationToken.None);
        Assert.Equal(VerifyState.Ok, verdict.State);
    }

    private static async Task RunAllAsync(TestRepository test)
    {
        await RotateAsync(test, false);
        await CollectAsync(test, false);
        test.Time.Now += Options.Grace;
        await CollectAsync(test, false);
    }

    private Task<Manifest> AddAsync() => _test.AddAsync(_image, Images.Difference([], _image));

    private Task<IReadOnlyList<RotationVerdict>> RotateAsync(bool dryRun = false) => RotateAsync(_test, dryRun);

    private Task<GarbageResult> CollectAsync(bool dryRun = false) => CollectAsync(_test, dryRun);

    private static async Task<IReadOnlyList<RotationVerdict>> RotateAsync(TestRepository test, bool dryRun)
    {
        var rule = new RotationRule(["a"], [new CycleRule(3, 1)], TimeSpan.Zero);
        var runner = new RotateRunner(
            test.Repository, new PointRemover(test.Repository, new Consolidator(test.Repository)), _ => rule, Options.JobDeadline, test.Time);
        return await runner.RunAsync(dryRun, e => throw e, IProgressReporter.None, CancellationToken.None)
            .SelectMany(d => d.Error is null ? d.Plan.Verdicts : throw d.Error).ToListAsync();
    }

    private static Task<GarbageResult> CollectAsync(TestRepository test, bool dryRun) =>
        new GarbageCollector(test.Repository, Options, test.Time).RunAsync(dryRun, IProgressReporter.None, CancellationToken.None);
}
