using System.Text.Json;
using RbdBackup.EndToEnd.Difference;

namespace RbdBackup.EndToEnd.Chaos;

/// <summary>A repository in a folder, the commands on it, and what must be in it.</summary>
internal sealed class Site(string name, int keep, params string[] settings) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, string> _known = [];
    private readonly Dictionary<string, string> _young = [];
    private readonly HashSet<string> _pinned = [];
    private readonly HashSet<string> _unpinned = [];
    private readonly List<string> _doomed = [];
    private readonly HashSet<string> _gone = [];
    private bool _rotated;

    public string Name => name;

    /// <summary>The commands, with a configuration that keeps so many of a disk's last points.</summary>
    public Sandbox Sandbox { get; } = new([$"rotation.keep_last={keep}", .. settings]);

    /// <summary>The points that were there when the round began, and those that were made, or came, since.</summary>
    public List<string> Known
    {
        get
        {
            lock (_lock)
            {
                return [.. _known.Keys.Union(_young.Keys).Order(StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>True where any point may go in this round.</summary>
    public bool Removes
    {
        get
        {
            lock (_lock)
            {
                return _rotated || _doomed.Count > 0;
            }
        }
    }

    /// <summary>The image of a point.</summary>
    public string ImageOf(string point)
    {
        lock (_lock)
        {
            return _known.TryGetValue(point, out var image) ? image : _young[point];
        }
    }

    /// <summary>A point is there, and must stay.</summary>
    public void Add(string point, string image) => Do(() => _young.TryAdd(point, image));

    /// <summary>A pin is there, and its point must stay; unless one ends it in the same round, perhaps after it.</summary>
    public void Pin(string point) => Do(() => _pinned.UnionWith(_unpinned.Contains(point) ? [] : [point]));

    public void Unpin(string point) => Do(() =>
    {
        _pinned.Remove(point);
        _unpinned.Add(point);
    });

    /// <summary>Points may go in this round: their removal was asked for.</summary>
    public void Doom(IEnumerable<string> points) => Do(() => _doomed.AddRange(points));

    /// <summary>The removal was refused: nobody takes them away, for its sake.</summary>
    public void Spare(IEnumerable<string> points) => Do(() => points.ToList().ForEach(p => _doomed.Remove(p)));

    /// <summary>Points were removed.</summary>
    public void Remove(IEnumerable<string> points) => Do(() => _gone.UnionWith(points));

    /// <summary>A copy may bring points back whose mark of removal has gone.</summary>
    public void MayComeBack(string point) => Do(() => _gone.Remove(point));

    /// <summary>A rotation begins.</summary>
    public void Rotate() => Do(() => _rotated = true);

    /// <summary>True where a point may have gone, in this round or before.</summary>
    public bool MayBeGone(string point)
    {
        lock (_lock)
        {
            return _rotated || _doomed.Contains(point) || _gone.Contains(point) || !(_known.ContainsKey(point) || _young.ContainsKey(point));
        }
    }

    /// <summary>Between two rounds: every point that is listed gives its exact bytes, and none is missing, or back.</summary>
    /// <param name="contents">What each point must give; what is new is learned.</param>
    /// <param name="now">What images held in this round.</param>
    public async Task CheckAsync(Dictionary<string, byte[]> contents, Func<string, byte[]> now)
    {
        var there = (await Sandbox.DoAsync("list")).EnumerateArray().ToDictionary(p => Text(p, "id"), p => Text(p, "image"));
        foreach (var (point, image) in _young)
        {
            _known.TryAdd(point, image);
        }

        var last = _known.Concat(there).DistinctBy(p => p.Key).GroupBy(p => p.Value, p => p.Key)
            .SelectMany(d => d.OrderByDescending(id => id, StringComparer.Ordinal).Take(keep)).ToHashSet();
        foreach (var point in _known.Keys.Except(there.Keys))
        {
            Assert.False(_pinned.Contains(point), $"{name}: point {point} is lost, and it was pinned");
            Assert.True(_doomed.Contains(point) || (_rotated && !last.Contains(point)), $"{name}: point {point} is lost");
        }

        foreach (var (point, image) in there)
        {
            Assert.False(_gone.Contains(point), $"{name}: point {point} came back");
            contents.TryAdd(point, now(image));
            Scene.AssertSame(contents[point], await Sandbox.ExportFullAsync(point), $"{name}: point {point}");
        }

        _gone.UnionWith(_known.Keys.Except(there.Keys));
        _known.Clear();
        foreach (var (point, image) in there)
        {
            _known[point] = image;
        }

        _young.Clear();
        _doomed.Clear();
        _unpinned.Clear();
        _pinned.IntersectWith(there.Keys);
        _rotated = false;
    }

    public void Dispose() => Sandbox.Dispose();

    private static string Text(JsonElement document, string name) => document.GetProperty(name).GetString()!;

    private void Do(Action action)
    {
        lock (_lock)
        {
            action();
        }
    }
}
