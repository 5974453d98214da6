using System.Globalization;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using Xunit.Abstractions;

namespace RbdBackup.Core.Tests.Consolidate;

/// <summary>What merged indexes cost: the index of a large image is made up, without any data.</summary>
public sealed class IndexSizeTests(ITestOutputHelper output)
{
    private const int Mi = 1 << 20;
    private const int FramesInSegment = 32;

    /// <summary>RBDBACKUP_INDEX_TIB=10 is the bench's; the density of changes is that of 100,000 extents in 10 TiB.</summary>
    private static int Tib => int.Parse(Environment.GetEnvironmentVariable("RBDBACKUP_INDEX_TIB") ?? "1", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Scattered_changes_cost_a_part_of_the_index_and_folding_takes_turns()
    {
        await using var test = await TestRepository.OpenAsync("zstd:3", inMemory: true);
        var random = new Random(5);
        var size = Tib * (1L << 40);
        var consolidator = new Consolidator(test.Repository);
        var point = await AddAsync(test, size, Full(random, size), null);
        var whole = point.Index.Length;
        var costs = new List<long>();
        for (var n = 0; n < 2 * LeafPlanner.Period; n++)
        {
            var increment = await AddAsync(test, size, Scattered(random, size, 10_000 * Tib), point);
            var watch = System.Diagnostics.Stopwatch.StartNew();
            var made = await consolidator.ConsolidateAsync(increment, IProgressReporter.None, CancellationToken.None);
            costs.Add(made.IndexBytes);
            point = made.Point;
            output.WriteLine($"{n}: own index {increment.Index.Length / 1024} KiB, merged {made.IndexBytes / 1024} KiB in {watch.Elapsed.TotalSeconds:F1} s, "
                + $"process {Environment.WorkingSet >> 20} MiB");
        }

        // The first consolidation writes all leaves; after it, every one costs about the same.
        var later = costs.Skip(1).ToList();
        output.WriteLine($"image {Tib} TiB: index of the full {whole / Mi} MiB; first merged {costs[0] / Mi} MiB, then {later.Average() / Mi:F1} MiB each");
        Assert.InRange(later.Average() / Tib, 0, 1.5 * Mi);
        Assert.True(later.Max() < 1.8 * later.Average(), $"{later.Max()} of {later.Average()}");
    }

    private static IEnumerable<IndexEntry> Full(Random random, long size)
    {
        var offset = 0L;
        for (var n = 0L; n < size / Mi; n++)
        {
            offset = n % FramesInSegment == 0 ? 0 : offset;
            var length = random.Next(300_000, 800_000);
            yield return new IndexEntry(n * Mi, Mi, new FrameAddress(0, (int)(n / FramesInSegment), offset, length));
            offset += length;
        }
    }

    private static List<IndexEntry> Scattered(Random random, long size, int count)
    {
        const int Block = 4096, InFrame = Mi / Block;
        var blocks = new SortedSet<long>();
        while (blocks.Count < count)
        {
            blocks.Add(random.NextInt64(size / Block));
        }

        var (entries, frame) = (new List<IndexEntry>(), default(FrameAddress));
        foreach (var (n, block) in blocks.Index())
        {
            if (n % InFrame == 0)
            {
                var number = n / InFrame;
                frame = new FrameAddress(0, number / FramesInSegment, number % FramesInSegment == 0 ? 0 : frame.Offset + frame.Length, random.Next(400_000, 900_000));
            }

            entries.Add(new IndexEntry(block * Block, Block, frame));
        }

        return entries;
    }

    private static async Task<Manifest> AddAsync(TestRepository test, long size, IEnumerable<IndexEntry> entries, Manifest? below)
    {
        var (head, attempt) = (test.Head(size, below), AttemptId.New());
        SegmentRun[] runs = [new(head.Point, attempt, 0, int.MaxValue, 0)];
        var index = await test.Repository.PutAsync(Keys.Index(head.Point, attempt), PointIndex.Write(head.Point, runs, entries, test.Codec), CancellationToken.None);
        var plan = await test.PutPlanAsync(head, [], attempt);
        var references = await test.Repository.PutReferencesAsync(
            Keys.References(head.Point, attempt), new ReferenceList(RepositoryFormat.Version, "", [], [plan.Key, index.Key]), CancellationToken.None);
        var manifest = TestRepository.Manifest(head) with { Attempt = attempt, Index = index, Plan = plan, References = references };
        await test.Repository.CommitAsync(manifest, CancellationToken.None);
        return manifest;
    }
}
