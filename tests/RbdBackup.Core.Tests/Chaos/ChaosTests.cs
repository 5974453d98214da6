using System.Collections.Concurrent;
using System.Globalization;

namespace RbdBackup.Core.Tests.Chaos;

/// <summary>Backup, rotate, prune, gc, compact, consolidate, copy, restores and verifications against each other, killed and cancelled at random, lose nothing.</summary>
public sealed class ChaosTests
{
    private const int RoundsOfOne = 12;

    // 'make soak' with its 10,000 histories runs 1,000 rounds; RBDBACKUP_CHAOS=SEED is one world that failed, FIRST-LAST are several.
    private static int Worlds =>
        Math.Max(4, (int.Parse(Environment.GetEnvironmentVariable("RBDBACKUP_HISTORIES") ?? "0", CultureInfo.InvariantCulture) / 10 + RoundsOfOne - 1) / RoundsOfOne);

    [Fact]
    public async Task Whatever_runs_at_the_same_time_and_dies_in_the_middle_no_point_is_lost_and_nothing_is_left()
    {
        var failures = new ConcurrentQueue<string>();
        await Parallel.ForEachAsync(Seeds(), new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, async (seed, _) =>
        {
            await using var world = await World.BeginAsync(seed);
            if (await Record.ExceptionAsync(() => RunAsync(world)) is { } error)
            {
                failures.Enqueue($"RBDBACKUP_CHAOS={seed} plays it again, as far as threads let it:\n{world.History}\n{error}");
            }
        });
        Assert.True(failures.IsEmpty, string.Join('\n', failures));
    }

    private static IEnumerable<int> Seeds()
    {
        var range = (Environment.GetEnvironmentVariable("RBDBACKUP_CHAOS") ?? $"0-{Worlds - 1}").Split('-').Select(s => int.Parse(s, CultureInfo.InvariantCulture)).ToList();
        return Enumerable.Range(range[0], range[^1] - range[0] + 1);
    }

    private static async Task RunAsync(World world)
    {
        for (var round = 0; round < RoundsOfOne; round++)
        {
            await world.RunRoundAsync(round);
        }

        await world.EndAsync();
    }
}
