using Xunit.Abstractions;

namespace RbdBackup.EndToEnd.Difference;

/// <summary>
/// The judge of the two-step diff: random histories of an image and its snapshots, and after each backup the point beside the bytes that were written.
/// RBDBACKUP_SOAK=N runs N histories; RBDBACKUP_SEED the seed of the first.
/// </summary>
public sealed class ModelTests(Mini mini, ITestOutputHelper output) : IClassFixture<Mini>
{
    private const int Default = 2, Steps = 16;

    [Fact]
    public async Task Random_histories_give_back_every_point()
    {
        var histories = Setting("RBDBACKUP_SOAK", Default);
        var first = Setting("RBDBACKUP_SEED", Random.Shared.Next());
        for (var seed = first; seed != unchecked(first + histories); seed = unchecked(seed + 1))
        {
            var random = new Random(seed);
            await using var scene = new Scene(await mini.CreateAsync((16 << 20) + (random.Next(3) * 5120), Mini.Layout(random.Next(16, 21))));
            var history = new History(scene, random);
            try
            {
                await history.RunAsync(Steps);
                await scene.CheckAllAsync(mini);
            }
            catch
            {
                output.WriteLine($"RBDBACKUP_SEED={seed} RBDBACKUP_SOAK=1 plays it again; objects of {(await scene.Image.InfoAsync()).Layout.ObjectSize} bytes:");
                history.Log.ForEach(output.WriteLine);
                throw;
            }
        }
    }

    private static int Setting(string name, int other) => int.TryParse(Environment.GetEnvironmentVariable(name), out var value) ? value : other;

    /// <summary>One image's random life.</summary>
    private sealed class History(Scene scene, Random random)
    {
        private readonly Dictionary<ulong, (string Name, byte[] Content)> _snapshots = [];
        private byte[] _head = [];
        private int _names;

        public List<string> Log { get; } = [];

        public async Task RunAsync(int steps)
        {
            _head = await scene.Image.ReadAsync();
            for (var step = 0; step < steps; step++)
            {
                await ChangeAsync();
                await (random.Next(15) switch
                {
                    < 3 => SnapshotAsync(),
                    3 => RemoveAsync(),
                    < 6 => RollbackAsync(),
                    6 => ResizeAsync(),
                    < 10 => BackupAsync(),
                    10 => BackupOfSnapshotAsync(),
                    11 => ConsolidateAsync(),
                    12 => PruneAsync(),
                    _ => ReplaceAsync(),
                });
            }

            await BackupAsync();
        }

        private async Task ChangeAsync()
        {
            var changes = Enumerable.Range(0, random.Next(6)).Select(_ => Range()).ToList();
            await scene.Image.UseAsync(async image =>
            {
                foreach (var (at, length) in changes)
                {
                    var zero = random.Next(3) == 0;
                    Log.Add($"{(zero ? "zero" : "write")} {at}+{length}");
                    if (zero)
                    {
                        await image.WriteZeroesAsync(at, length, default);
                        _head.AsSpan(at, length).Clear();
                    }
                    else
                    {
                        random.NextBytes(_head.AsSpan(at, length));
                        await image.WriteAsync(at, _head.AsMemory(at, length), default);
                    }
                }
            });
        }

        private (int At, int Length) Range()
        {
            var unit = random.Next(3) == 0 ? 1 : 4096;
            var at = random.Next((_head.Length - 1) / unit) * unit;
            var length = random.Next(4) == 0 ? random.Next(1, 2 << 20) : random.Next(1, 9) * unit;
            return (at, Math.Min(length, _head.Length - at));
        }

        private async Task SnapshotAsync()
        {
            var name = $"foreign{_names++}";
            var id = await scene.Image.SnapshotAsync(name);
            Log.Add($"snapshot {name} (id {id})");
            _snapshots[id] = (name, [.. _head]);
        }

        private async Task RemoveAsync()
        {
            if (Pick() is { } id)
            {
                Log.Add($"remove snapshot {id}");
                await scene.Image.RemoveSnapshotAsync(id);
                _snapshots.Remove(id);
            }
        }

        private async Task RollbackAsync()
        {
            if (Pick() is { } id)
            {
                Log.Add($"roll back to snapshot {id}");
                await scene.Image.RollbackAsync(id);
                _head = [.. _snapshots[id].Content];
            }
        }

        private async Task ResizeAsync()
        {
            var size = random.Next(12 << 20, 20 << 20) / 512 * 512;
            Log.Add($"resize from {_head.Length} to {size}");
            await scene.Image.ResizeAsync(size);
            Array.Resize(ref _head, size);
        }

        private async Task BackupAsync()
        {
            Scene.AssertSame(_head, await scene.Image.ReadAsync(), "the image itself");
            var number = scene.Points.Count + 1;
            Log.Add($"backup {number}");
            var document = await scene.BackupAsync();
            Log.Add($"  {document.GetProperty("kind")}: {document.GetProperty("reason")}");
        }

        private async Task BackupOfSnapshotAsync()
        {
            if (Pick() is { } id)
            {
                Log.Add($"backup {scene.Points.Count + 1} of snapshot {id}");
                var document = await scene.BackupAsync(id, _snapshots[id].Name);
                Log.Add($"  {document.GetProperty("kind")}: {document.GetProperty("reason")}");
            }
        }

        private async Task ConsolidateAsync()
        {
            if (scene.Points.Count > 0)
            {
                var number = random.Next(scene.Points.Count);
                Log.Add($"consolidate point {number + 1} of {scene.Points.Count}");
                await scene.Sandbox.DoAsync("consolidate", scene.Points[number].Point);
            }
        }

        private async Task PruneAsync()
        {
            var doomed = scene.Points.SkipLast(1).Where(_ => random.Next(2) == 0).Select(p => p.Point).ToArray();
            if (doomed.Length > 0)
            {
                Log.Add($"prune points {string.Join(", ", doomed)}");
                await scene.PruneAsync(doomed);
            }
        }

        private async Task ReplaceAsync()
        {
            if (scene.Points.Count == 0)
            {
                return;
            }

            var (point, content) = scene.Points[random.Next(scene.Points.Count)];
            Log.Add($"restore point {scene.Points.Select(p => p.Point).ToList().IndexOf(point) + 1} in the image's place");
            var restored = await scene.Sandbox.DoAsync("restore", point, "--replace", "--lose-snapshots");
            scene.Image.Replaced.Add(restored.GetProperty("replaced_image_id").GetString()!);
            _head = [.. content];
            _snapshots.Clear();
        }

        private ulong? Pick() => _snapshots.Count == 0 ? null : _snapshots.Keys.ElementAt(random.Next(_snapshots.Count));
    }
}
