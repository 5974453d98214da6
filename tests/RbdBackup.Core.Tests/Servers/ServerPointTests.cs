using Microsoft.Extensions.Logging.Abstractions;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Copy;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Servers;
using RbdBackup.Core.Tests.Chaos;
using RbdBackup.Core.Verify;
using RbdBackup.Stores;

namespace RbdBackup.Core.Tests.Servers;

/// <summary>Server points of two disks: all or none, whatever fails and whenever it dies.</summary>
public sealed class ServerPointTests : IAsyncLifetime, IDisposable
{
    private const string Server = "1e9c0f6a-5b5e-4a2e-9a40-0f5a5f6c3f10";
    private static readonly ImageSpec Root = new("vms", $"{Server}_disk"), Volume = new("volumes", "volume-b");
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly Random _random = new(7);
    private TestRepository _test = null!;
    private Turns _turns = null!;
    private ModelCluster _cluster = null!;
    private ModelState _state = null!;

    public async Task InitializeAsync()
    {
        _test = await TestRepository.OpenAsync(inMemory: true);
        _turns = new Turns(new Random(1), _test.Time);
        _cluster = new ModelCluster(_turns);
        _state = new ModelState(_turns);
        _cluster.Change(Root, _ => Images.Random(_random, 60_000));
        _cluster.Change(Volume, _ => Images.Random(_random, 90_000));
    }

    public async Task DisposeAsync() => await _test.DisposeAsync();

    public void Dispose() => _turns.Dispose();

    [Fact]
    public async Task All_disks_are_of_one_moment_and_name_their_server_point()
    {
        var point = await BackupAsync();
        Assert.Equal(point.Id, (await Store.FindAsync(point.Id, None))!.Id);
        Assert.Equal([DiskRole.Root, DiskRole.Volume], point.Disks.Select(d => d.Role));
        Assert.Equal((Consistency.Paused, 7), (point.Consistency, point.HeldMs));
        foreach (var disk in point.Disks)
        {
            var manifest = (await _test.Repository.FindNewestAsync(disk.Disk, disk.Point, None))!;
            Assert.Equal(new ServerPointReference(point.Id, Server), manifest.ServerPoint);
            var stored = await Images.ApplyAsync([], await _test.ExportFullAsync(manifest));
            Assert.True(stored.AsSpan().SequenceEqual(_cluster.ContentOf(manifest.Snapshot.Id)));
        }

        await IsCleanAsync();
    }

    [Fact]
    public async Task The_next_one_is_made_of_increments()
    {
        await BackupAsync();
        Change();
        var second = await BackupAsync();
        Assert.All(await PointsOfAsync(second), m => Assert.Equal(PointKind.Increment, m.Kind));
        await IsCleanAsync();
    }

    [Fact]
    public async Task A_disk_that_fails_leaves_nothing_of_the_others()
    {
        var first = await BackupAsync();
        Change();
        var failing = true;
        _test.Store.OnChange = key => _ = failing && key.Contains("/index.", StringComparison.Ordinal) && Count(ref _seen) == 2
            ? throw new RbdBackupException(ErrorKind.NoSpace, "the store is full") : true;
        var error = await Assert.ThrowsAsync<RbdBackupException>(BackupAsync);
        failing = false;
        Assert.Equal(ErrorKind.NoSpace, error.Kind);
        Assert.Contains("none of its 2 disks", error.Message, StringComparison.Ordinal);
        Assert.Equal([first.Id], await ListedAsync());
        Assert.Equal(2, (await AllAsync()).Count);
        var failed = (await _test.Repository.ReadFinishedJobsAsync(None)).Where(j => j.State == JobState.Failed).ToList();
        Assert.Equal([Root.ToString(), Volume.ToString()], failed.Select(j => j.Image).Order());
        await IsCleanAsync();
    }

    [Fact]
    public async Task A_moment_that_fails_leaves_nothing()
    {
        await Assert.ThrowsAsync<RbdBackupException>(() => BackupAsync(new Moment { Error = new RbdBackupException(ErrorKind.Unavailable, "too long") }));
        Assert.Empty(await AllAsync());
        Assert.Empty((await _cluster.FindAsync(Root, None))!.Snapshots);
        Assert.Empty((await _cluster.FindAsync(Volume, None))!.Snapshots);
    }

    [Fact]
    public async Task One_that_is_interrupted_leaves_nothing()
    {
        using var stop = new CancellationTokenSource();
        _test.Store.OnChange = key => _ = key.Contains("/plan.", StringComparison.Ordinal) && Cancel(stop);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => BackupAsync(new Moment(), stop.Token));
        Assert.Empty(await AllAsync());
        Assert.Empty((await _cluster.FindAsync(Root, None))!.Snapshots);
    }

    [Fact]
    public async Task Killed_at_any_change_of_the_store_the_next_backups_end_well()
    {
        await BackupAsync();
        var (killed, n) = (true, 0);
        for (; killed; n++)
        {
            Change();
            _test.Store.DieAt(n + 1);
            killed = await IsKilledAsync();
            _test.Store.OnChange = _ => { };
            var before = await ListedAsync();

            // First by a backup of one disk alone, as a worker that takes up records makes it.
            await RunOneAsync(n % 2 == 0 ? Root : Volume);
            Change();
            var point = await BackupAsync();
            Assert.Equal([.. before, point.Id], await ListedAsync());
            await AllOrNoneAsync();
            await IsCleanAsync();
        }

        Assert.True(n > 12, $"it was killed at {n} places only");
    }

    [Fact]
    public async Task A_prune_of_one_disk_removes_the_server_point_before_the_point()
    {
        var first = await BackupAsync();
        Change();
        await BackupAsync();
        var order = new List<string>();
        _test.Store.OnChange = order.Add;
        var all = await AllAsync();
        var drop = all.Single(m => m.Point == first.Disks[1].Point);
        await new PointRemover(_test.Repository, new Consolidator(_test.Repository)).RemoveAsync([drop], all, IProgressReporter.None, None);
        var (server, voided) = (order.IndexOf(first.Key), order.IndexOf(Keys.Aborted(drop.Disk.Key, drop.Point)));
        Assert.True(server >= 0 && server < voided, string.Join('\n', order));
        Assert.DoesNotContain(first.Id, await ListedAsync());
        Assert.Contains(await AllAsync(), m => m.Point == first.Disks[0].Point);
    }

    [Fact]
    public async Task A_collection_removes_one_of_which_no_disk_is_left()
    {
        var point = await BackupAsync();
        var kept = await _test.Store.GetAsync(point.Key, 1 << 20, None);
        await new PointRemover(_test.Repository, new Consolidator(_test.Repository)).RemoveAsync(await AllAsync(), await AllAsync(), IProgressReporter.None, None);
        await _test.Store.PutAsync(point.Key, new System.Buffers.ReadOnlySequence<byte>(kept), None);
        await new GarbageCollector(_test.Repository, new GarbageOptions(TimeSpan.FromHours(30), TimeSpan.FromHours(24), TimeSpan.FromDays(7)), _test.Time)
            .RunAsync(false, IProgressReporter.None, None);
        Assert.Empty(await ListedAsync());
    }

    [Fact]
    public async Task A_copy_has_the_server_points_whose_disks_it_has()
    {
        var first = await BackupAsync();
        Change();
        await BackupAsync();
        var folder = Directory.CreateTempSubdirectory("rbdbackup-servers-");
        try
        {
            await using var site = new FolderStore(folder.FullName, _test.Time);
            var target = await CopyRunner.OpenTargetAsync(_test.Repository, site, null, _test.Time, None);
            var runner = new CopyRunner(_test.Repository, target, 2);
            await runner.PrepareAsync(IProgressReporter.None, None);
            foreach (var manifest in await PointsOfAsync(first))
            {
                Assert.Equal(CopyState.Copied, (await runner.RunAsync(manifest, IProgressReporter.None, None)).State);
            }

            Assert.Equal(1, await runner.CopyServersAsync(e => throw e, None));
            Assert.Equal(0, await runner.CopyServersAsync(e => throw e, None));
            Assert.Equal(first.Id, (await new ServerPointStore(target).ReadAllAsync(null, e => throw e, None).SingleAsync()).Id);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_check_counts_them_and_finds_one_whose_point_was_lost()
    {
        var point = await BackupAsync();
        var check = await new RepositoryCheck(_test.Repository).RunAsync(false, IProgressReporter.None, None);
        Assert.Equal((1, 0), (check.ServerPoints, check.FindingCount));
        await _test.Store.DeleteAsync((await PointsOfAsync(point))[0].Key, None);
        check = await new RepositoryCheck(_test.Repository).RunAsync(false, IProgressReporter.None, None);
        Assert.Equal(point.Key, Assert.Single(check.Findings).Where);
    }

    [Fact]
    public async Task A_manifest_that_was_changed_is_refused()
    {
        var point = await BackupAsync();
        var at = (await _test.Store.GetAsync(point.Key, 1 << 20, None)).AsSpan().IndexOf("paused"u8);
        _test.Store.Flip(point.Key, at, 0);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => Store.FindAsync(point.Id, None))).Kind);
    }

    private int _seen;

    private ServerPointStore Store => new(_test.Repository);

    private static int Count(ref int seen) => ++seen;

    private static bool Cancel(CancellationTokenSource stop)
    {
        stop.Cancel();
        return true;
    }

    private void Change()
    {
        _cluster.Change(Root, i => Images.Changed(_random, i));
        _cluster.Change(Volume, i => Images.Changed(_random, i));
    }

    private Task<ServerPoint> BackupAsync() => BackupAsync(new Moment());

    private Task<ServerPoint> BackupAsync(Moment moment, CancellationToken cancel = default)
    {
        _test.Time.Now += TimeSpan.FromMinutes(1);
        var description = new ServerDescription(null, null, null, [], [], new Dictionary<string, string>(), null, [], null, false, null, [], null, null, "ACTIVE", null);
        var ask = new ServerBackupAsk(
            Server, "project", "a server", [new ServerDisk(Root, DiskRole.Root, BootIndex: 0), new ServerDisk(Volume, DiskRole.Volume, "b")], [new SkippedDisk("vms/x_disk.swap", "swap")],
            description, false, null, null, new AskedBy(AskedSource.Cli, User: "root"));
        return new ServerBackupRunner(Backups, _state, _test.Repository, "test", _test.Time, NullLogger<ServerBackupRunner>.Instance)
            .RunAsync(ask, moment, IProgressReporter.None, cancel);
    }

    private BackupRunner Backups => new(_cluster, _state, _test.Repository, World.Backups, new Throttle(0, _test.Time), _test.Time, NullLogger<BackupRunner>.Instance);

    private Task<Manifest> RunOneAsync(ImageSpec image)
    {
        _test.Time.Now += TimeSpan.FromMinutes(1);
        return Backups.RunAsync(new BackupAsk(image, null, false, null, null, new AskedBy(AskedSource.Cli, User: "root")), IProgressReporter.None, None);
    }

    private async Task<bool> IsKilledAsync()
    {
        try
        {
            await BackupAsync();
            return false;
        }
        catch (KilledException)
        {
            return true;
        }
    }

    private Task<List<Manifest>> AllAsync() => _test.Repository.ReadAllAsync(Keys.PointsPrefix, e => throw e, None).ToListAsync().AsTask();

    private async Task<List<PointId>> ListedAsync() => [.. (await Store.ReadAllAsync(Server, e => throw e, None).ToListAsync()).Select(p => p.Id)];

    private async Task<List<Manifest>> PointsOfAsync(ServerPoint point)
    {
        var all = await AllAsync();
        return [.. point.Disks.Select(d => all.Single(m => m.Point == d.Point))];
    }

    /// <summary>Every server point has all its disks, and no disk's point names one that never came to be.</summary>
    private async Task AllOrNoneAsync()
    {
        var (all, listed) = (await AllAsync(), (await ListedAsync()).ToHashSet());
        Assert.All(all.Where(m => m.ServerPoint is not null), m => Assert.Contains(m.ServerPoint!.Id, listed));
        Assert.All(await Store.ReadAllAsync(null, e => throw e, None).ToListAsync(), p => Assert.All(p.Disks, d => Assert.Contains(all, m => m.Point == d.Point)));
    }

    /// <summary>One snapshot an image, the newest point's, and no record.</summary>
    private async Task IsCleanAsync()
    {
        var all = await AllAsync();
        foreach (var image in (ImageSpec[])[Root, Volume])
        {
            var info = (await _cluster.FindAsync(image, None))!;
            Assert.Equal(all.Where(m => m.Disk.Spec == image).MaxBy(m => m.Point)!.Snapshot.Id, Assert.Single(info.Snapshots).Id);
            Assert.Empty(ImageJobs.Jobs(await _state.ReadAsync(StateKeys.Image(info), None)));
        }
    }

    /// <summary>A guest that is held for seven milliseconds.</summary>
    private sealed class Moment : IServerMoment
    {
        public RbdBackupException? Error { get; init; }

        public Task ClearAsync(ILease server, CancellationToken cancel) => Task.CompletedTask;

        public async Task<HeldMoment> DuringAsync(ILease server, Func<CancellationToken, Task> snapshots, CancellationToken cancel)
        {
            await snapshots(cancel);
            return Error is null ? new HeldMoment(Consistency.Paused, 7) : throw Error;
        }
    }
}
