using RbdBackup.Core.Compact;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Sealing;
using RbdBackup.Core.Tests.Repository;

namespace RbdBackup.Core.Tests.Consolidate;

/// <summary>A random history of a disk, and of one that was restored from it: what happened to the images, in arrays, and to their points, in a repository.</summary>
internal sealed class History : IAsyncDisposable
{
    private static readonly GarbageOptions Options = new(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
    private readonly Random _random;
    private readonly string? _secret;
    private readonly TestRepository _test;
    private readonly Consolidator _consolidator;
    private readonly PruneRunner _prune;
    private readonly MergedLayout? _layout;
    private readonly List<(PointId Point, string Disk, byte[] Image)> _points = [];
    private readonly List<string> _log = [];
    private byte[] _image;

    private History(TestRepository test, int seed, string? secret)
    {
        (_test, _random, _secret) = (test, new Random(seed), secret);
        _layout = _random.Next(3) switch { 0 => new MergedLayout(16 << 10, 200), 1 => new MergedLayout(64 << 10, 1000), _ => null };
        _consolidator = new Consolidator(test.Repository, _layout);
        _prune = new PruneRunner(test.Repository, new PointRemover(test.Repository, _consolidator));
        _image = Images.Random(_random, _random.Next(20, 200) * 1024);
    }

    /// <summary>What was done, for whoever looks at a failure.</summary>
    public IEnumerable<string> Log => _log;

    /// <summary>Begins a history; every fifth one is of a sealed repository.</summary>
    public static async Task<History> BeginAsync(int seed)
    {
        var secret = seed % 5 == 4 ? TestRepository.Secret : null;
        return new(await TestRepository.OpenAsync(seed % 2 == 0 ? "none" : "zstd:1", inMemory: true, secret: secret), seed, secret);
    }

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    public async Task RunAsync(int steps)
    {
        for (var n = 0; n < steps; n++)
        {
            await StepAsync(_random.Next(22));
        }

        await BackUpAsync();
        await CheckAsync();
        await CollectAllAsync();
        await CompactAsync();
        await CheckAsync();
        await CollectAllAsync();
        await CheckAsync();
        await CheckNothingIsLeftAsync();
    }

    private async Task StepAsync(int die)
    {
        switch (die)
        {
            case < 4:
                _image = Images.Changed(_random, _image);
                _log.Add($"write, {_image.Length} bytes");
                break;
            case 4:
                _image = _image[..Math.Max(4096, _image.Length * _random.Next(3, 10) / 10)];
                _log.Add($"shrink to {_image.Length}");
                break;
            case 5 when _points.Count > 0:
                var (point, _, image) = _points[_random.Next(_points.Count)];
                _image = [.. image];
                _log.Add($"roll back to {point}");
                break;
            case < 13:
                _image = Images.Changed(_random, _image);
                await BackUpAsync();
                break;
            case < 16 when _points.Count > 0:
                var chosen = await _test.Repository.FindAsync(_points[_random.Next(_points.Count)].Point, CancellationToken.None);
                var made = await _consolidator.ConsolidateAsync(chosen, IProgressReporter.None, CancellationToken.None);
                _log.Add($"consolidate {chosen.Point}: revision {made.Point.Revision}");
                break;
            case < 18 when _points.Count > 1:
                await PruneAsync();
                break;
            case 18:
                await CollectAsync();
                break;
            case 19 when _secret is not null:
                var rotated = await new KeyManager(_test.Repository).RotateAsync(false, IProgressReporter.None, CancellationToken.None);
                _log.Add($"rotate the master key: {rotated}");
                break;
            case > 19:
                await CompactAsync();
                break;
        }
    }

    private async Task BackUpAsync()
    {
        // Mostly on the last point of the disk, as a backup does; now and then on any, as after a restore, perhaps under another name.
        var disk = _random.Next(5) == 0 ? "restored" : "disk";
        var candidates = _points.Where(p => p.Disk == disk).ToList();
        var below = _random.Next(6) == 0 ? default : candidates.Count > 0 && _random.Next(4) > 0 ? candidates[^1] : _points.ElementAtOrDefault(_random.Next(_points.Count + 1));
        var manifest = below.Image is null ? null : await _test.Repository.FindAsync(below.Point, CancellationToken.None);
        var extents = Images.Difference(below.Image ?? [], _image);
        var cut = new CutParameters(_random.Next(2, 6) * 8192, 8192, 4096);
        var made = await _test.AddAsync(_image, extents, manifest, TestRepository.Disk(disk), cut);
        _points.Add((made.Point, disk, [.. _image]));
        _log.Add($"{made.Kind} {made.Point} of {disk} on {manifest?.Point} (revision {manifest?.Revision}), {_image.Length} bytes");
    }

    private async Task PruneAsync()
    {
        var doomed = _points.Where(_ => _random.Next(3) == 0).Select(p => p.Point).Take(_points.Count - 1).ToList();
        var plan = await _prune.RunAsync(new PruneAsk(doomed, true, true, false), e => throw e, IProgressReporter.None, CancellationToken.None);
        _points.RemoveAll(p => doomed.Contains(p.Point));
        _log.Add($"prune {string.Join(", ", doomed)}; consolidated {string.Join(", ", plan.Consolidate.Select(p => p.Point))}");
    }

    private async Task CompactAsync()
    {
        var options = new CompactOptions(_random.Next(1, 11) / 10.0, new CutParameters(_random.Next(2, 6) * 8192, 8192, 4096), Options.JobDeadline, MinGain: 0);
        var layout = _random.Next(4) == 0 ? new MergedLayout(32 << 10, 500) : _layout;
        var done = new CompactRunner(_test.Repository, options, layout).RunAsync(false, e => throw e, IProgressReporter.None, CancellationToken.None);
        await foreach (var result in done)
        {
            Assert.True(result.Error is null, $"{result.Error}");
            _log.Add($"compact below {options.MinLive}: {string.Join(", ", result.Points.Select(p => $"{p.Point} (was {p.Revision})"))}, {result.Plan.Segments.Count} segments");
        }
    }

    private async Task CollectAsync()
    {
        _test.Time.Now += TimeSpan.FromDays(4);
        var result = await new GarbageCollector(_test.Repository, Options, _test.Time).RunAsync(false, IProgressReporter.None, CancellationToken.None);
        _log.Add($"collect: {result}");
    }

    private async Task CollectAllAsync()
    {
        for (var n = 0; n < 6; n++)
        {
            await CollectAsync();
        }
    }

    /// <summary>Every point gives its image, to us and to the second reader; every pair's difference makes one of the other.</summary>
    private async Task CheckAsync()
    {
        using var second = new SecondReader(_test.Folder, _secret);
        var stream = new PointStream(_test.Repository);
        var chains = new List<IReadOnlyList<Manifest>>();
        foreach (var (point, _, image) in _points)
        {
            var manifest = await _test.Repository.FindAsync(point, CancellationToken.None);
            chains.Add(await _test.Repository.ReadChainAsync(manifest, CancellationToken.None));
            Assert.True((await Images.ApplyAsync([], await _test.ExportFullAsync(manifest))).AsSpan().SequenceEqual(image), $"point {point} gives another image");
            var key = Keys.Manifest(manifest.Disk.Key, point, manifest.Revision, manifest.Attempt, manifest.Kind, manifest.StoredBytes);
            Assert.True(image.AsSpan().SequenceEqual(second.ReadImage(key)), $"point {point} gives another image to the second reader");
        }

        foreach (var (from, to) in chains.Index().SelectMany(a => chains.Index().Select(b => (a, b))))
        {
            using var output = new MemoryStream();
            await stream.ExportBetweenAsync(from.Item, to.Item, output, IProgressReporter.None, CancellationToken.None);
            var made = await Images.ApplyAsync(_points[from.Index].Image, output.ToArray());
            Assert.True(_points[to.Index].Image.AsSpan().SequenceEqual(made), $"the difference from {_points[from.Index].Point} to {_points[to.Index].Point} is wrong");
            Assert.True(from.Index != to.Index || output.Length < 200, "a point differs from itself");
        }
    }

    /// <summary>What is left is what some manifest refers to, and of each point one revision.</summary>
    private async Task CheckNothingIsLeftAsync()
    {
        var (referred, wrapped) = (new HashSet<string>(), new HashSet<string>());
        foreach (var (point, _, _) in _points)
        {
            var manifest = await _test.Repository.FindAsync(point, CancellationToken.None);
            var references = await _test.Repository.ReadReferencesAsync(manifest, CancellationToken.None);
            referred.UnionWith([.. references.Objects, .. references.Segments.SelectMany(s => s.Keys), manifest.References.Key]);
            wrapped.UnionWith(references.Segments.Select(s => Keys.WrapsOf(s.Point, s.Attempt)));
        }

        var left = (await _test.KeysAsync(Keys.DataPrefix)).ToLookup(k => Keys.TryParseWrap(k) is not null);
        Assert.Equal(referred.Order(StringComparer.Ordinal), left[false]);
        Assert.Equal(_secret is null ? [] : wrapped.Order(StringComparer.Ordinal), left[true].Select(k => k[..^22]));
        Assert.Equal(_points.Count, (await _test.KeysAsync(Keys.PointsPrefix)).Count);
    }
}
