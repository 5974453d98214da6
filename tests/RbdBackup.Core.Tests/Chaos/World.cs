using Microsoft.Extensions.Logging.Abstractions;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Compact;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Copy;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Sealing;
using RbdBackup.Core.Tests.Compact;
using RbdBackup.Core.Verify;
using RbdBackup.Zstd;

namespace RbdBackup.Core.Tests.Chaos;

/// <summary>
/// Three disks, a repository and its copy at another site, and all that is done to them, at the same time and in random order: each operation is what the command
/// of its name does, and may be killed, cancelled or fail at any of its calls.
/// </summary>
internal sealed class World : IAsyncDisposable
{
    private const int AtATime = 5, EachInTurn = 3, SlowOnes = 3;

    // The shortest grace that the configuration takes: an hour longer than the longest job.
    private static readonly TimeSpan Deadline = TimeSpan.FromHours(24);
    private static readonly GarbageOptions Garbage = new(TimeSpan.FromHours(25), Deadline, TimeSpan.FromDays(7));
    private static readonly TimeSpan Longest = TimeSpan.FromHours(23.5);
    private static readonly CutParameters Cut = new(32 << 10, 8 << 10, 4096);
    private static readonly MergedLayout Layout = new(32 << 10, 500);
    private static readonly ImageSpec[] Disks = [new("vms", "", "one"), new("vms", "", "two"), new("volumes", "", "three")];
    internal static readonly BackupOptions Backups = new(
        Cut, 4, 2, 1000, 0, 5, TimeSpan.FromMinutes(1), Deadline, new SnapshotNaming("volumes", "backup.{point}.snap.{time}", "rbdbackup.{point}"), "test", "test");

    private readonly Random _random;
    private readonly ManualTime _time = new();
    private readonly FrameCodec _codec;
    private readonly Turns _turns;
    private readonly ModelCluster _cluster;
    private readonly ModelState _state;
    private readonly Site _here;
    private readonly Site _there;
    private readonly List<string> _log = [];
    private readonly List<(Operation Operation, Task Reading, int Until)> _slow = [];
    private readonly RepositorySecret? _secret;
    private int _operations;

    private World(int seed)
    {
        _random = new Random(seed);
        _codec = CodecFactory.Create(seed % 2 == 0 ? "none" : "zstd:1");
        _secret = seed % 3 == 2 ? RepositorySecret.Parse(TestRepository.Secret, "a test") : null;
        _turns = new Turns(new Random(seed), _time);
        (_cluster, _state) = (new ModelCluster(_turns), new ModelState(_turns));
        (_here, _there) = (new Site("here", 4, _turns, _time, Log), new Site("there", 3, _turns, _time, Log));
    }

    /// <summary>What was done in the last two rounds, for whoever looks at a failure.</summary>
    public string History
    {
        get
        {
            lock (_log)
            {
                return string.Join('\n', _log.Skip(Math.Max(0, _log.FindLastIndex(Math.Max(0, _log.FindLastIndex(IsRound) - 1), IsRound))));
            }
        }
    }

    public static async Task<World> BeginAsync(int seed)
    {
        var world = new World(seed);
        foreach (var disk in Disks)
        {
            world._cluster.Change(disk, _ => Images.Random(world._random, world._random.Next(60, 160) << 10));
        }

        world._here.Repository = await PointRepository.OpenAsync(world._here.Store, world._codec, world._time, world._secret, create: true, CancellationToken.None);
        world._there.Repository = await CopyRunner.OpenTargetAsync(world._here.Repository, world._there.Store, null, world._time, CancellationToken.None);
        return world;
    }

    /// <summary>Some operations at the same time, and others when one ends; then both sites are looked at.</summary>
    public async Task RunRoundAsync(int round)
    {
        Log($"round {round}");
        for (var n = 0; n < SlowOnes; n++)
        {
            BeginSlow(new Random(_random.Next()), round + _random.Next(2, 7));
        }

        foreach (var due in _slow.Where(s => s.Until == round))
        {
            due.Operation.GoOn();
        }

        var lines = Enumerable.Range(0, AtATime).Select(_ => new Random(_random.Next())).ToList();
        await Task.WhenAll(lines.Select(async random =>
        {
            for (var n = 0; n < EachInTurn; n++)
            {
                await RunAsync(random);
            }
        }));
        await EndSlowAsync(round);
        await _here.CheckAsync(_cluster, _state);
        await _there.CheckAsync(_cluster, _state);
        _time.Now += TimeSpan.FromHours(_random.Next(72));
    }

    /// <summary>Ends what was killed, and collects; then nothing is there that is not needed.</summary>
    public async Task EndAsync()
    {
        Log("round last");
        await EndSlowAsync(int.MaxValue);
        foreach (var disk in Disks)
        {
            _here.Add(await BackupAsync(disk, full: false, CancellationToken.None));
        }

        for (var n = 0; n < 6; n++)
        {
            _time.Now += TimeSpan.FromDays(4);
            foreach (var site in new[] { _here, _there })
            {
                await CollectAsync(site, CancellationToken.None);
                await site.CheckAsync(_cluster, _state);
            }
        }

        await _here.CheckNothingIsLeftAsync();
        await _there.CheckNothingIsLeftAsync();
        await foreach (var name in _state.ListAsync(CancellationToken.None))
        {
            Assert.DoesNotContain(await _state.ReadAsync(name, CancellationToken.None), r => Jobs.StateKeys.IsJob(r.Key));
        }

        foreach (var disk in Disks)
        {
            Assert.Single((await _cluster.FindAsync(disk, CancellationToken.None))!.Snapshots);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _turns.Dispose();
        _codec.Dispose();
        await _here.DisposeAsync();
        await _there.DisposeAsync();
    }

    private static bool IsRound(string line) => line.StartsWith("round", StringComparison.Ordinal);

    private void Log(string line)
    {
        lock (_log)
        {
            _log.Add(line);
        }
    }

    private async Task RunAsync(Random random)
    {
        var site = random.Next(3) == 0 ? _there : _here;
        var (name, limit, work) = Choose(random, site);
        var mishap = random.Next(3) == 0 ? (Mishap)random.Next(1, 4) : Mishap.None;
        var at = (int)Math.Pow(10, 0.3 + (random.NextDouble() * 2.2));
        using var operation = new Operation($"{Interlocked.Increment(ref _operations)} {name}", random, limit, mishap, at);
        Log($"  {operation} begins at {_time.Now:MM-dd HH:mm}");
        var error = await Record.ExceptionAsync(() => _turns.RunAsync(operation, () => work(operation)));
        Log($"  {operation} ends at {_time.Now:MM-dd HH:mm} after {operation.Turns} turns: {error?.Message ?? "done"}");
        Assert.True(error is null || operation.Explains(error), $"{operation}: {error}");
    }

    /// <summary>A reader of one of the newest points that begins now, rests in the middle, and goes on some rounds later, when what it read first may have gone.</summary>
    private void BeginSlow(Random random, int until)
    {
        var site = random.Next(3) == 0 ? _there : _here;
        var operation = new Operation($"{Interlocked.Increment(ref _operations)} slow read of {site.Name}", random, null, Mishap.None, 0) { RestsAfter = random.Next(1, 20) };
        _slow.Add((operation, _turns.RunAsync(operation, () => random.Next(2) == 0 ? ExportAsync(site, operation) : RestoreAsync(site, operation)), until));
    }

    private async Task EndSlowAsync(int round)
    {
        foreach (var due in _slow.Where(s => s.Until <= round).ToList())
        {
            due.Operation.GoOn();
            await due.Reading;
            due.Operation.Dispose();
            _slow.Remove(due);
        }
    }

    private (string Name, TimeSpan? Limit, Func<Operation, Task> Work) Choose(Random random, Site site) => random.Next(24) switch
    {
        < 6 => ("backup", Longest, BackupAsync),
        < 8 => ($"rotate {site.Name}", Longest, o => RotateAsync(site, o)),
        < 10 => ($"prune {site.Name}", Longest, o => PruneAsync(site, o)),
        < 13 => ($"gc {site.Name}", Longest, o => CollectAsync(site, o.Cancel)),
        < 15 => ($"compact {site.Name}", Longest, o => CompactAsync(site, o)),
        < 17 => ($"consolidate {site.Name}", Longest, o => ConsolidateAsync(site, o)),
        < 19 => ("copy", Longest, CopyAsync),
        19 => ($"pin {site.Name}", Longest, o => PinAsync(site, o)),
        20 => ($"export {site.Name}", null, o => ExportAsync(site, o)),
        21 => ($"export a pair {site.Name}", null, o => ExportPairAsync(site, o)),
        22 => ($"restore {site.Name}", null, o => RestoreAsync(site, o)),
        _ => ($"verify {site.Name}", null, o => VerifyAsync(site, o)),
    };

    private async Task BackupAsync(Operation operation)
    {
        var disk = Disks[operation.Random.Next(Disks.Length)];
        _cluster.Change(disk, image => operation.Random.Next(9) == 0 ? image[..(image.Length * 3 / 4)] : Images.Changed(operation.Random, image));
        try
        {
            _here.Add(await BackupAsync(disk, operation.Random.Next(9) == 0, operation.Cancel));
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy || (e.Kind == ErrorKind.Dropped && _here.Removes()))
        {
            Log($"    {operation}: {e.Message}");
        }
    }

    private Task<Manifest> BackupAsync(ImageSpec disk, bool full, CancellationToken cancel) =>
        new BackupRunner(_cluster, _state, _here.Repository, Backups, new Throttle(0, _time), _time, NullLogger<BackupRunner>.Instance)
            .RunAsync(new BackupAsk(disk, null, full, null, null, new AskedBy(AskedSource.Cli, User: "root")), IProgressReporter.None, cancel);

    private async Task RotateAsync(Site site, Operation operation)
    {
        site.Rotated();
        var rule = new RotationRule(["a"], [new LastRule(site.Keep)], TimeSpan.Zero);
        var runner = new RotateRunner(site.Repository, new PointRemover(site.Repository, new Consolidator(site.Repository, Layout)), _ => rule, Deadline, _time);
        await foreach (var disk in runner.RunAsync(false, OnDamaged(site, operation), IProgressReporter.None, operation.Cancel))
        {
            Log($"    {operation}: {string.Join(", ", disk.Plan.Verdicts.Where(v => !v.Keep).Select(v => v.Point.Point))} of {disk.Disk} go: {disk.Error?.Message ?? "gone"}");
            var pinned = disk.Error?.Message.Contains("was pinned while", StringComparison.Ordinal) == true;
            Assert.True(disk.Error is null || pinned || operation.Explains(disk.Error), $"{operation}: {disk.Error}");
            site.Remove(disk.Error is null ? disk.Plan.Verdicts.Where(v => !v.Keep).Select(v => v.Point.Point) : []);
        }
    }

    private async Task PruneAsync(Site site, Operation operation)
    {
        var doomed = Some(site, operation).Select(p => p.Point).ToList();
        var runner = new PruneRunner(site.Repository, new PointRemover(site.Repository, new Consolidator(site.Repository, Layout)));
        site.Doom(doomed);
        try
        {
            await runner.RunAsync(new PruneAsk(doomed, false, true, false), OnDamaged(site, operation), IProgressReporter.None, operation.Cancel);
            site.Remove(doomed);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Refused || (e.Kind == ErrorKind.NotFound && doomed.Any(site.MayBeGone)))
        {
            Log($"    {operation}: {e.Message}");
            site.Spare(doomed);
        }
    }

    private async Task CollectAsync(Site site, CancellationToken cancel)
    {
        var result = await new GarbageCollector(site.Repository, Garbage, _time).RunAsync(false, IProgressReporter.None, cancel);
        Log($"    gc {site.Name}: {result}");
    }

    private async Task CompactAsync(Site site, Operation operation)
    {
        var options = new CompactOptions(operation.Random.Next(3, 11) / 10.0, Cut, Deadline, MinGain: 0);
        var runner = new CompactRunner(site.Repository, options, Layout);
        await foreach (var result in runner.RunAsync(false, OnDamaged(site, operation), IProgressReporter.None, operation.Cancel))
        {
            Log($"    {operation}: {string.Join(", ", result.Points.Select(p => $"{p.Point} (was {p.Revision})"))}, {result.Plan.Segments.Count} segments; {result.Error?.Message}");
            Assert.True(result.Error is null || operation.Explains(result.Error), $"{operation}: {result.Error}");
        }
    }

    private Task ConsolidateAsync(Site site, Operation operation) => WithPointAsync(site, operation, point =>
        new Consolidator(site.Repository, Layout).ConsolidateAsync(point, IProgressReporter.None, operation.Cancel));

    private async Task CopyAsync(Operation operation)
    {
        var target = await CopyRunner.OpenTargetAsync(_here.Repository, _there.Store, null, _time, operation.Cancel);
        var runner = new CopyRunner(_here.Repository, target, 2);
        await runner.PrepareAsync(IProgressReporter.None, operation.Cancel);
        await foreach (var point in _here.Repository.ReadAllAsync(Keys.PointsPrefix, OnDamaged(_here, operation), operation.Cancel))
        {
            _there.MayComeBack(point.Point);
            var result = await runner.RunAsync(point, IProgressReporter.None, operation.Cancel);
            Log($"    {operation}: {point.Point} is {result.State}, {result.Objects} objects; {result.Why}");
            switch (result.State)
            {
                case CopyState.Copied or CopyState.Present:
                    _there.Add(point);
                    break;
                case CopyState.Left:
                    Assert.True(_there.MayBeGone(point.Point), $"{operation}: {point.Point} is said to be removed there");
                    break;
                case CopyState.Gone:
                    Assert.True(_here.MayBeGone(point.Point), $"{operation}: {point.Point} is said to be removed here");
                    break;
                default:
                    var known = operation.Struck || result.Why!.Contains($"was removed in {target.Store.Url}", StringComparison.Ordinal)
                        || result.Why.Contains($"a collection in {target.Store.Url} is deleting", StringComparison.Ordinal);
                    Assert.True(known, $"{operation}: {point.Point}: {result.Why}");
                    break;
            }
        }
    }

    private Task PinAsync(Site site, Operation operation) => WithPointAsync(site, operation, async point =>
    {
        var pins = new PinStore(site.Repository);
        if (operation.Random.Next(3) == 0)
        {
            site.Unpin(point.Point);
            await pins.PutAsync(point, null, "over", "root", operation.Cancel);
        }
        else
        {
            try
            {
                var until = _time.Now.AddDays(operation.Random.Next(5, 30));
                site.MayShorten(point.Point, until);
                var pin = await pins.PutAsync(point, until, "a test", "root", operation.Cancel);
                site.Pin(point.Point, pin.Until!.Value);
            }
            catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
            {
                Log($"    {operation}: {e.Message}");
            }
        }
    });

    private Task ExportAsync(Site site, Operation operation) => WithPointAsync(site, operation, async point =>
        AssertIs(operation, point, await Site.RestoreAsync(site.Repository, point, operation.Cancel)));

    private Task ExportPairAsync(Site site, Operation operation) => WithPointAsync(site, operation, from => WithPointAsync(site, operation, async to =>
    {
        using var output = new MemoryStream();
        await new PointStream(site.Repository).ExportBetweenAsync(
            await site.Repository.ReadChainAsync(from, operation.Cancel), await site.Repository.ReadChainAsync(to, operation.Cancel), output, IProgressReporter.None, operation.Cancel);
        AssertIs(operation, to, await Images.ApplyAsync(_cluster.ContentOf(from.Snapshot.Id), output.ToArray()));
    }));

    private Task RestoreAsync(Site site, Operation operation) => WithPointAsync(site, operation, async point =>
    {
        await using var image = new MemoryImage(point.Size);
        var chain = await site.Repository.ReadChainAsync(point, operation.Cancel);
        await new ImageFiller(site.Repository, 2).FillAsync(chain, image, image, IProgressReporter.None, operation.Cancel);
        AssertIs(operation, point, image.Bytes);
    });

    private Task VerifyAsync(Site site, Operation operation) => WithPointAsync(site, operation, async point =>
    {
        var ask = new VerifyAsk(operation.Random.Next(2) == 0 ? VerifyKind.Quick : VerifyKind.Data);
        var runner = new VerifyRunner(site.Repository, null, null, new VerifyOptions(2, "test"), new Throttle(0, _time), _time);
        var verdict = await runner.RunAsync(point, [], ask, IProgressReporter.None, operation.Cancel);
        var expected = verdict.State == VerifyState.Ok || (verdict.State == VerifyState.Skipped && site.MayBeGone(point.Point)) || (verdict.State == VerifyState.Failed && operation.Struck);
        Assert.True(expected, $"{operation}: {point.Point} is {verdict.State}: {verdict.Why} {string.Join("; ", verdict.Findings)}");
    });

    /// <summary>Works with a point; that it was removed meanwhile is accepted where it may be.</summary>
    private async Task WithPointAsync(Site site, Operation operation, Func<Manifest, Task> work)
    {
        if (site.Known is not { Count: > 0 } known)
        {
            return;
        }

        // What is read slowly is better not among what goes first.
        var id = known[operation.Random.Next(operation.RestsAfter > 0 ? known.Count * 2 / 3 : 0, known.Count)].Point;
        try
        {
            await work(await site.Repository.FindAsync(id, operation.Cancel));
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound && site.MayBeGone(id))
        {
            Log($"    {operation}: {e.Message}");
            if (operation.RestsAfter > 0)
            {
                // It has, really: what a slow reader misses is elsewhere now, as long as its point is there.
                Assert.DoesNotContain(id, await site.Repository.ListAsync(Keys.PointsPrefix, operation.Cancel).Select(k => k.Point).ToListAsync());
            }
        }
    }

    private void AssertIs(Operation operation, Manifest point, byte[] image) =>
        Assert.True(image.AsSpan().SequenceEqual(_cluster.ContentOf(point.Snapshot.Id)), $"{operation}: point {point.Point} gives another image");

    /// <summary>A manifest that goes while it is read is no damage.</summary>
    private static Action<RbdBackupException> OnDamaged(Site site, Operation operation) => e =>
        Assert.True(operation.Explains(e) || e.Kind == ErrorKind.NotFound, $"{operation} at {site.Name}: {e}");

    private static IEnumerable<Manifest> Some(Site site, Operation operation) => site.Known.Where(_ => operation.Random.Next(4) == 0).Take(3);
}
