using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Difference;

namespace RbdBackup.EndToEnd.Chaos;

/// <summary>Two images, a repository and its copy at another site, and the commands that run on them at the same time. Of every second seed the repository is sealed.</summary>
internal sealed class World : IAsyncDisposable
{
    private const int AtATime = 4, EachInTurn = 3;
    private static readonly TimeSpan Grace = TimeSpan.FromHours(2);

    private readonly Mini _mini;
    private readonly Random _random;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rbdbackup-e2e-chaos-");
    private readonly Site _here;
    private readonly Site _there;
    private readonly List<Disk> _disks = [];
    private readonly Dictionary<string, byte[]> _contents = [];
    private readonly ConcurrentQueue<string> _log = [];
    private int _commands;

    private World(Mini mini, int seed)
    {
        (_mini, _random) = (mini, new Random(seed));
        List<string> settings =
        [
            "repository.segment_size=1MiB", "repository.frame_size=64KiB", $"repository.compression={(seed % 4 < 2 ? "none" : "zstd:1")}",
            "jobs.deadline=1h", $"rotation.grace={Grace.TotalHours}h",
        ];
        if (seed % 2 == 0)
        {
            var key = Path.Combine(_folder.FullName, "key");
            File.WriteAllText(key, RandomNumberGenerator.GetHexString(64, lowercase: true));
            settings.Add($"encryption.key_file={key}");
        }

        (_here, _there) = (new Site("here", 4, [.. settings]), new Site("there", 3, [.. settings]));
        GoOn(-TimeSpan.FromDays(30));
    }

    /// <summary>What was done, for whoever looks at a failure.</summary>
    public List<string> Log => [.. _log];

    public static async Task<World> BeginAsync(Mini mini, int seed)
    {
        var world = new World(mini, seed);
        for (var n = 0; n < 2; n++)
        {
            world._disks.Add(new Disk(await mini.CreateAsync((4 << 20) + (n * 5120))));
            await world._disks[n].ChangeAsync(world._random);
            await world.BackupAsync(world._disks[n], world._random);
        }

        await world.CopyAsync();
        await world.CheckAsync();
        return world;
    }

    /// <summary>The guests write; then some commands run at the same time, and others when one ends; then both sites are looked at.</summary>
    public async Task RunRoundAsync(int round)
    {
        GoOn(Grace * (_random.NextDouble() * 3));
        foreach (var disk in _disks)
        {
            await disk.ChangeAsync(_random);
        }

        _log.Enqueue($"round {round}");
        var lines = Enumerable.Range(0, AtATime).Select(_ => new Random(_random.Next())).ToList();
        await Task.WhenAll(lines.Select((random, line) => Task.Run(async () =>
        {
            for (var n = 0; n < EachInTurn; n++)
            {
                await Task.Delay(random.Next(100));
                await (n == 0 && line < _disks.Count ? BackupAsync(_disks[line], random) : RunOneAsync(random));
            }
        })));
        await CheckAsync();
    }

    /// <summary>Collects until nothing is left to collect; then only what points need is there.</summary>
    public async Task EndAsync()
    {
        _log.Enqueue("round last");
        foreach (var site in new[] { _here, _there })
        {
            for (var n = 0; n < 4; n++)
            {
                GoOn(Grace * 2);
                await DoAsync(site, "gc");
            }

            var check = await DoAsync(site, "repo", "check");
            Assert.Equal((0, 0), (check!.Value.GetProperty("finding_count").GetInt32(), check.Value.GetProperty("orphans").GetInt32()));
        }

        await CheckAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var disk in _disks)
        {
            await disk.DisposeAsync();
        }

        _here.Dispose();
        _there.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>The clock of both sites; it goes on between two rounds.</summary>
    private void GoOn(TimeSpan time)
    {
        _here.Sandbox.Ahead += time;
        _there.Sandbox.Ahead += time;
    }

    private async Task CheckAsync()
    {
        byte[] Now(string image) => _disks.Single(d => d.Name == image).Content;
        await _here.CheckAsync(_contents, Now);
        await _there.CheckAsync(_contents, Now);
    }

    private Task RunOneAsync(Random random)
    {
        var site = random.Next(3) == 0 ? _there : _here;
        return random.Next(20) switch
        {
            < 3 => BackupAsync(_disks[random.Next(_disks.Count)], random),
            < 5 => RotateAsync(site),
            < 7 => PruneAsync(site, random),
            < 9 => DoAsync(site, "gc"),
            < 11 => DoAsync(site, "compact", "--min-live", $"{random.Next(30, 101)}"),
            11 => WithPointAsync(site, random, p => TryAsync(site, p, "consolidate", p)),
            < 14 => CopyAsync(),
            14 => WithPointAsync(site, random, p => PinAsync(site, p, random)),
            15 => WithPointAsync(site, random, p => ExportAsync(site, p, null)),
            16 => WithPointAsync(site, random, p => ExportPairAsync(site, p, random)),
            17 => WithPointAsync(site, random, p => RestoreAsync(site, p)),
            _ => WithPointAsync(site, random, p => TryAsync(site, p, "verify", p, random.Next(2) == 0 ? "--quick" : "--data")),
        };
    }

    private async Task BackupAsync(Disk disk, Random random)
    {
        string[] options = random.Next(6) == 0 ? ["--full"] : [];

        // The one before has not ended yet; or the base went, by a removal, while the increment was made.
        var result = await RunAsync(_here, r => r == ErrorKind.Busy || (r == ErrorKind.Dropped && _here.Removes), ["backup", "image", disk.Name, .. options]);
        if (result is { } point)
        {
            _here.Add(Text(point, "id"), disk.Name);
        }
    }

    private async Task RotateAsync(Site site)
    {
        site.Rotate();
        var verdicts = (await DoAsync(site, "rotate"))!.Value.GetProperty("points").EnumerateArray();
        site.Remove(verdicts.Where(v => !v.GetProperty("keep").GetBoolean()).Select(v => Text(v, "id")));
    }

    private async Task PruneAsync(Site site, Random random)
    {
        var doomed = site.Known.Where(_ => random.Next(4) == 0).Take(3).ToArray();
        if (doomed.Length == 0)
        {
            return;
        }

        // Refused: pinned, in use by a running increment, or a disk's last.
        site.Doom(doomed);
        if (await RunAsync(site, r => r == ErrorKind.Refused || (r == ErrorKind.NotFound && doomed.Any(site.MayBeGone)), ["prune", .. doomed]) is not null)
        {
            site.Remove(doomed);
        }
        else
        {
            site.Spare(doomed);
        }
    }

    private async Task CopyAsync()
    {
        foreach (var point in _here.Known)
        {
            _there.MayComeBack(point);
        }

        var result = await RunAsync(_here, r => r == ErrorKind.Partial, "copy", "--all", "--to-config", _there.Sandbox.ConfigFile);
        foreach (var point in result!.Value.GetProperty("points").EnumerateArray())
        {
            var (id, state, why) = (Text(point, "id"), Text(point, "state"), point.GetProperty("why").GetString() ?? "");
            switch (state)
            {
                case "copied" or "present":
                    _there.Add(id, Text(point, "image"));
                    break;
                case "left":
                    Assert.True(_there.MayBeGone(id), $"{id} is said to be removed there");
                    break;
                case "gone":
                    Assert.True(_here.MayBeGone(id), $"{id} is said to be removed here");
                    break;
                default:
                    // It stands on what only the other site removed, or a collection there was just deleting what it needs.
                    var known = why.Contains("which was removed in", StringComparison.Ordinal) || why.Contains("is deleting", StringComparison.Ordinal);
                    Assert.True(state == "failed" && known, $"{id} is {state}: {why}");
                    break;
            }
        }
    }

    private async Task PinAsync(Site site, string point, Random random)
    {
        if (random.Next(3) == 0)
        {
            // One that is not pinned is not found.
            site.Unpin(point);
            await RunAsync(site, r => r == ErrorKind.NotFound, "unpin", point);
        }
        else if (await RunAsync(
            site, r => r is ErrorKind.NotFound or ErrorKind.Busy && site.MayBeGone(point), "pin", point, "--until", $"{DateTime.UtcNow.AddDays(99):yyyy-MM-dd}", "--why", "a test") is not null)
        {
            // Busy: a rotation that did not see the pin is just removing it.
            site.Pin(point);
        }
    }

    private async Task ExportPairAsync(Site site, string from, Random random)
    {
        var others = site.Known.Where(p => site.ImageOf(p) == site.ImageOf(from)).ToList();
        var to = others[random.Next(others.Count)];
        await ExportAsync(site, to, from);
    }

    private async Task ExportAsync(Site site, string point, string? from)
    {
        var file = Path.Combine(_folder.FullName, $"{Guid.NewGuid():N}");
        string[] what = from is null ? ["--full"] : ["--from", from];
        if (await RunAsync(site, r => r == ErrorKind.NotFound && (site.MayBeGone(point) || site.MayBeGone(from ?? point)), ["export", point, .. what, "-o", file]) is not null)
        {
            Scene.AssertSame(ContentOf(site, point), DiffFile.Apply(file, from is null ? [] : [.. ContentOf(site, from)]), $"{site.Name}: the stream of {point} from {from ?? "nothing"}");
        }

        File.Delete(file);
    }

    private async Task RestoreAsync(Site site, string point)
    {
        await using var target = _mini.Target();
        if (await TryAsync(site, point, "restore", point, "--to", $"{target}") is not null)
        {
            Scene.AssertSame(ContentOf(site, point), await target.ReadAsync(), $"{site.Name}: the image restored from {point}");
        }
    }

    /// <summary>What a point must give; one that no round has ended with yet holds what its image does.</summary>
    private byte[] ContentOf(Site site, string point) =>
        _contents.TryGetValue(point, out var content) ? content : _disks.Single(d => d.Name == site.ImageOf(point)).Content;

    private static Task WithPointAsync(Site site, Random random, Func<string, Task> work) =>
        site.Known is { Count: > 0 } known ? work(known[random.Next(known.Count)]) : Task.CompletedTask;

    /// <summary>A command on a point, which must succeed where the point may not have gone.</summary>
    private Task<JsonElement?> TryAsync(Site site, string point, params string[] arguments) =>
        RunAsync(site, r => r == ErrorKind.NotFound && site.MayBeGone(point), arguments);

    private Task<JsonElement?> DoAsync(Site site, params string[] arguments) => RunAsync(site, _ => false, arguments);

    /// <summary>Runs a command that must succeed, or fail in a way that can be explained.</summary>
    /// <returns>The document that it printed; null where it printed none.</returns>
    private async Task<JsonElement?> RunAsync(Site site, Func<ErrorKind, bool> legal, params string[] arguments)
    {
        var line = $"{Interlocked.Increment(ref _commands)} {site.Name}: {string.Join(' ', arguments)}";
        _log.Enqueue($"  {line}");
        var result = await site.Sandbox.RunAsync(arguments);
        _log.Enqueue($"  {line} ended with {result.ExitCode}: {result.Error}");
        Assert.True(result.ExitCode == 0 || legal((ErrorKind)result.ExitCode), $"{line} ended with {result.ExitCode}: {result.Error}");
        return result.ExitCode == 0 && result.Output.Length == 0 ? JsonDocument.Parse("{}").RootElement
            : result.Output.Length > 0 ? result.Json : null;
    }

    private static string Text(JsonElement document, string name) => document.GetProperty(name).GetString()!;
}
