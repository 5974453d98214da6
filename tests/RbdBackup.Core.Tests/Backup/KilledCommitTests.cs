using Microsoft.Extensions.Logging.Abstractions;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Tests.Chaos;

namespace RbdBackup.Core.Tests.Backup;

/// <summary>A backup dies right after its commit, while its base was being removed, or while it clears away what another left.</summary>
public sealed class KilledCommitTests
{
    private static readonly ImageSpec Disk = new("vms", "", "disk");

    [Fact]
    public async Task An_increment_whose_base_went_meanwhile_is_taken_back_by_the_next_backup()
    {
        await using var test = await TestRepository.OpenAsync();
        using var turns = new Turns(new Random(1), test.Time);
        await using var cluster = new ModelCluster(turns);
        await using var state = new ModelState(turns);
        var random = new Random(2);
        cluster.Change(Disk, _ => Images.Random(random, 60_000));
        var first = await BackupAsync(test, cluster, state);
        cluster.Change(Disk, image => Images.Changed(random, image));
        test.Store.OnChange = key =>
        {
            if (Keys.TryParseManifest(key) is { Revision: 1 })
            {
                test.Store.OnChange = _ => { };
                new PointRemover(test.Repository, new Consolidator(test.Repository))
                    .RemoveAsync([first], [first], IProgressReporter.None, CancellationToken.None).GetAwaiter().GetResult();
                test.Store.DieAt(1);
            }
        };
        await Assert.ThrowsAsync<KilledException>(() => BackupAsync(test, cluster, state));
        test.Store.OnChange = _ => { };
        var broken = Assert.Single(await PointsAsync(test));
        Assert.Equal(first.Point, broken.Base!.Point);

        var second = await BackupAsync(test, cluster, state);
        var point = Assert.Single(await PointsAsync(test));
        Assert.Equal((second.Point, PointKind.Full), (point.Point, point.Kind));
        Assert.NotEqual(broken.Point, second.Point);
        Assert.True((await Images.ApplyAsync([], await test.ExportFullAsync(point))).AsSpan().SequenceEqual(cluster.ContentOf(point.Snapshot.Id)));
        Assert.Equal(second.Snapshot.Id, Assert.Single((await cluster.FindAsync(Disk, CancellationToken.None))!.Snapshots).Id);
    }

    [Fact]
    public async Task Whoever_clears_an_unfinished_job_away_may_die_at_any_call_and_the_next_backup_ends_well()
    {
        var at = 0;
        while (await ClearAndDieAsync(++at))
        {
        }

        Assert.True(at > 20, $"it had {at} calls");
    }

    /// <summary>False where it came to its end before that call.</summary>
    private static async Task<bool> ClearAndDieAsync(int at)
    {
        await using var test = await TestRepository.OpenAsync(inMemory: true);
        using var turns = new Turns(new Random(1), test.Time);
        await using var cluster = new ModelCluster(turns);
        await using var state = new ModelState(turns);
        cluster.Change(Disk, _ => Images.Random(new Random(2), 60_000));
        test.Store.DieAt(2);
        await Assert.ThrowsAsync<KilledException>(() => BackupAsync(test, cluster, state));
        test.Store.OnChange = _ => { };

        // Asked for a full, it gives the other's job up.
        using var clearing = new Operation($"dies at {at}", new Random(3), null, Mishap.Killed, at);
        var died = await Record.ExceptionAsync(() => turns.RunAsync(clearing, () => BackupAsync(test, cluster, state, full: true)));
        Assert.True(died is null or KilledException, $"at {at}: {died}");

        var point = await BackupAsync(test, cluster, state);
        Assert.Equal(point.Snapshot.Id, Assert.Single((await cluster.FindAsync(Disk, CancellationToken.None))!.Snapshots).Id);
        Assert.Contains(await PointsAsync(test), p => p.Point == point.Point);
        return died is not null;
    }

    private static Task<List<Manifest>> PointsAsync(TestRepository test) =>
        test.Repository.ReadAllAsync(Keys.PointsPrefix, e => throw e, CancellationToken.None).ToListAsync().AsTask();

    private static Task<Manifest> BackupAsync(TestRepository test, ModelCluster cluster, ModelState state, bool full = false)
    {
        test.Time.Now += TimeSpan.FromMinutes(1);
        var runner = new BackupRunner(cluster, state, test.Repository, World.Backups, new Throttle(0, test.Time), test.Time, NullLogger<BackupRunner>.Instance);
        return runner.RunAsync(new BackupAsk(Disk, null, full, null, null, new AskedBy(AskedSource.Cli, User: "root")), IProgressReporter.None, CancellationToken.None);
    }
}
