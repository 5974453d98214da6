using System.Globalization;

namespace RbdBackup.Core.Tests.Consolidate;

/// <summary>Random histories of writes, discards, rollbacks, resizes, restores, fulls, prunes, consolidations, compactions and collections, judged by arrays.</summary>
public sealed class HistoryTests
{
    // RBDBACKUP_HISTORIES=10000 is 'make soak'; RBDBACKUP_HISTORY=SEED is one that failed.
    private static int Count => int.Parse(Environment.GetEnvironmentVariable("RBDBACKUP_HISTORIES") ?? "200", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Every_point_and_every_pair_of_a_random_history_is_right()
    {
        IEnumerable<int> seeds = Environment.GetEnvironmentVariable("RBDBACKUP_HISTORY") is { Length: > 0 } one
            ? [int.Parse(one, CultureInfo.InvariantCulture)]
            : Enumerable.Range(0, Count);
        await Parallel.ForEachAsync(seeds, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, async (seed, _) =>
        {
            await using var history = await History.BeginAsync(seed);
            var error = await Record.ExceptionAsync(() => history.RunAsync(steps: 25));
            Assert.True(error is null, $"history {seed}:\n{string.Join('\n', history.Log)}\n{error}");
        });
    }
}
