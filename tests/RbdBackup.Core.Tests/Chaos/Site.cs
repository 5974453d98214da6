using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Stores;

namespace RbdBackup.Core.Tests.Chaos;

/// <summary>A repository in a folder, and what must be in it.</summary>
internal sealed class Site : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly Lock _lock = new();
    private readonly Dictionary<PointId, Manifest> _known = [];
    private readonly Dictionary<PointId, DateTimeOffset> _pinned = [];
    private readonly HashSet<PointId> _unpinned = [];
    private readonly Dictionary<PointId, int> _doomed = [];
    private readonly HashSet<PointId> _everDoomed = [];
    private readonly HashSet<PointId> _gone = [];
    private readonly List<Manifest> _young = [];
    private bool _rotated;

    public Site(string name, int keep, Turns turns, ManualTime time, Action<string> log)
    {
        (Name, Keep) = (name, keep);
        _folder = Directory.CreateDirectory(Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"rbdbackup-test.{Guid.NewGuid():N}"));
        Store = new TurnStore(new FolderStore(_folder.FullName, time), turns, time, log);
    }

    public string Name { get; }

    /// <summary>How many of a disk's last points rotation keeps.</summary>
    public int Keep { get; }

    public TurnStore Store { get; }

    public PointRepository Repository { get; set; } = null!;

    /// <summary>The points that were there when the round began, and those that were made, or came, since.</summary>
    public IReadOnlyList<Manifest> Known
    {
        get
        {
            lock (_lock)
            {
                return [.. _known.Values.OrderBy(p => p.Created).ThenBy(p => p.Point)];
            }
        }
    }

    /// <summary>A point is there, and must stay.</summary>
    public void Add(Manifest point)
    {
        lock (_lock)
        {
            _known.TryAdd(point.Point, point);
            _young.Add(point);
        }
    }

    /// <summary>A copy, which may not live to say that it did, may bring points back whose mark of removal has gone.</summary>
    public void MayComeBack(PointId point)
    {
        lock (_lock)
        {
            _gone.Remove(point);
        }
    }

    /// <summary>A pin is there, and its point must stay; unless one ends it in the same round, perhaps after it. Of several the shortest counts: which came last is not known.</summary>
    public void Pin(PointId point, DateTimeOffset until)
    {
        lock (_lock)
        {
            if (!_unpinned.Contains(point))
            {
                _pinned[point] = _pinned.TryGetValue(point, out var other) && other < until ? other : until;
            }
        }
    }

    /// <summary>A pin is about to be put, which may die right after it did: it counts then, and ends what was there before.</summary>
    public void MayShorten(PointId point, DateTimeOffset until)
    {
        lock (_lock)
        {
            if (_pinned.TryGetValue(point, out var other) && until < other)
            {
                _pinned[point] = until;
            }
        }
    }

    public void Unpin(PointId point)
    {
        lock (_lock)
        {
            _pinned.Remove(point);
            _unpinned.Add(point);
        }
    }

    /// <summary>Points may go from now on.</summary>
    public void Doom(IEnumerable<PointId> points)
    {
        lock (_lock)
        {
            foreach (var point in points)
            {
                _doomed[point] = _doomed.GetValueOrDefault(point) + 1;
                _everDoomed.Add(point);
            }
        }
    }

    /// <summary>The removal was refused: nobody takes them away, for its sake.</summary>
    public void Spare(IEnumerable<PointId> points)
    {
        lock (_lock)
        {
            foreach (var point in points)
            {
                _doomed[point]--;
            }
        }
    }

    /// <summary>Points were removed, and must stay away.</summary>
    public void Remove(IEnumerable<PointId> points)
    {
        lock (_lock)
        {
            _gone.UnionWith(points);
        }
    }

    /// <summary>A rotation ran, whatever became of it.</summary>
    public void Rotated()
    {
        lock (_lock)
        {
            _rotated = true;
        }
    }

    /// <summary>True where a point's removal was asked for, ever, or a rotation may take it; or where its backup may yet take it back.</summary>
    public bool MayBeGone(PointId point)
    {
        lock (_lock)
        {
            return _rotated || _everDoomed.Contains(point) || _gone.Contains(point) || !_known.ContainsKey(point);
        }
    }

    /// <summary>True where any point may go, or has gone.</summary>
    public bool Removes()
    {
        lock (_lock)
        {
            return _rotated || _doomed.Values.Any(n => n > 0);
        }
    }

    /// <summary>Between two rounds: every point that is there is right, and none is missing, or back.</summary>
    public async Task CheckAsync(ModelCluster cluster, ModelState state)
    {
        var there = await ReadAsync();
        var last = LastOnes(there.Values);
        foreach (var point in _known.Values)
        {
            var mayGo = (_doomed.GetValueOrDefault(point.Point) > 0 || (_rotated && !last.Contains(point.Point))) && !(_pinned.GetValueOrDefault(point.Point) > Repository.Now);
            Assert.True(mayGo || there.ContainsKey(point.Point), $"{Name}: point {point.Point} is lost");
        }

        foreach (var point in there.Values.ToList())
        {
            Assert.False(_gone.Contains(point.Point), $"{Name}: point {point.Point} came back");
            if (!_known.ContainsKey(point.Point) && state.IsUnfinished(point.Point) && point.Needs is { } below && !there.ContainsKey(below.Point))
            {
                // Its job died right after the commit, and right after the base had gone: the next backup of the disk takes it back.
                there.Remove(point.Point);
                continue;
            }

            var image = await RestoreAsync(Repository, point);
            Assert.True(image.AsSpan().SequenceEqual(cluster.ContentOf(point.Snapshot.Id)), $"{Name}: point {point.Point} gives another image");
        }

        _everDoomed.UnionWith(_known.Keys.Except(there.Keys));
        _known.Clear();
        foreach (var (id, point) in there)
        {
            _known[id] = point;
        }

        _young.Clear();
        _doomed.Clear();
        _unpinned.Clear();
        foreach (var over in _pinned.Where(p => !there.ContainsKey(p.Key) || p.Value <= Repository.Now).ToList())
        {
            _pinned.Remove(over.Key);
        }

        _rotated = false;
    }

    /// <summary>At the end: what is left is what some manifest refers to, and of each point one revision.</summary>
    public async Task CheckNothingIsLeftAsync()
    {
        var (referred, wraps, there) = (new HashSet<string>(), new HashSet<string>(), await ReadAsync());
        foreach (var point in there.Values)
        {
            var references = await Repository.ReadReferencesAsync(point, CancellationToken.None);
            wraps.UnionWith(references.Segments.Select(s => Keys.WrapsOf(s.Point, s.Attempt)));
            referred.UnionWith([.. references.Objects, .. references.Segments.SelectMany(s => s.Keys), point.References.Key]);
        }

        var keys = (await KeysAsync(Keys.DataPrefix)).ToLookup(k => Keys.TryParseWrap(k) is not null);
        Assert.Equal(referred.Order(StringComparer.Ordinal), keys[false]);
        Assert.All(keys[true], k => Assert.Contains(wraps, w => k.StartsWith(w, StringComparison.Ordinal)));
        Assert.Equal(there.Count, (await KeysAsync(Keys.PointsPrefix)).Count);
        Assert.Empty(await KeysAsync(Keys.GarbagePrefix));
        Assert.Empty(await KeysAsync(Keys.CollectingPrefix));
        Assert.Empty(await KeysAsync(Keys.JobsPrefix));
        Assert.All(await KeysAsync(Keys.PinsPrefix), k => Assert.Contains(Keys.TryParsePin(k)!.Value.Point, there.Keys));
        Assert.All(await KeysAsync(Keys.VerifiedPrefix), k => Assert.Contains(Keys.TryParseVerified(k)!.Point, there.Keys));
    }

    /// <summary>A point's image, as <c>export --full</c> gives it.</summary>
    public static async Task<byte[]> RestoreAsync(PointRepository repository, Manifest point, CancellationToken cancel = default)
    {
        using var output = new MemoryStream();
        var chain = await repository.ReadChainAsync(point, cancel);
        await new PointStream(repository).ExportFullAsync(chain, output, IProgressReporter.None, cancel);
        return await Images.ApplyAsync([], output.ToArray());
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    /// <summary>The points that no rotation of this round could take, of each disk: fewer than so many newer ones were ever there.</summary>
    private HashSet<PointId> LastOnes(IEnumerable<Manifest> there) =>
        [.. _known.Values.Concat(_young).Concat(there).DistinctBy(p => p.Point).GroupBy(p => p.Disk.Key)
            .SelectMany(d => d.OrderByDescending(p => p.Created).ThenByDescending(p => p.Point).Take(Keep)).Select(p => p.Point)];

    private async Task<Dictionary<PointId, Manifest>> ReadAsync() =>
        await Repository.ReadAllAsync(Keys.PointsPrefix, e => throw e, CancellationToken.None).ToDictionaryAsync(p => p.Point);

    private async Task<List<string>> KeysAsync(string prefix) => await Store.ListAsync(prefix, CancellationToken.None).Select(o => o.Key).ToListAsync();
}
