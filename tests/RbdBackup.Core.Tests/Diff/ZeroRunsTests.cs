using FsCheck.Fluent;
using RbdBackup.Core.Diff;

namespace RbdBackup.Core.Tests.Diff;

public sealed class ZeroRunsTests
{
    [Fact]
    public void Runs_partition_the_buffer_and_are_what_the_plain_definition_says()
    {
        var cases =
            from blocks in Gen.ListOf(Gen.Elements(Block.Zeros, Block.Zeros, Block.First, Block.Last, Block.Full))
            from phase in Gen.Elements(0, 1, 512, 4095)
            from tail in Gen.Elements(0, 1, 100, 4095)
            from minRun in Gen.Elements(1, 512, 4096, 4097, 8192, 20_000)
            select (Data: Fill(blocks, phase, tail), Offset: (7L << 40) + phase, minRun);
        Diffs.Check(cases, 300, c =>
        {
            var runs = Runs(c.Data, c.Offset, c.minRun);
            Assert.Equal(ByDefinition(c.Data, c.Offset, c.minRun), runs);
            Assert.Equal(c.Data.Length, runs.Sum(r => r.Length));
            Assert.All(runs.Where(r => r.IsZero), r => Assert.True(r.Length >= c.minRun && c.Data.AsSpan(r.Start, r.Length).IndexOfAnyExcept((byte)0) < 0));
        });
    }

    [Fact]
    public void A_zero_block_between_data_is_found_at_the_image_s_alignment()
    {
        var data = new byte[3 * 4096];
        data.AsSpan().Fill(1);
        data.AsSpan(1000, 8000).Clear();
        Assert.Equal([new(0, 4096, false), new(4096, 4096, true), new(8192, 4096, false)], Runs(data, 0, 4096));

        // 96 bytes into a block, the first whole block of the image starts at 4000 of the buffer.
        Assert.Equal([new(0, 4000, false), new(4000, 4096, true), new(8096, 4192, false)], Runs(data, 96, 4096));
    }

    [Fact]
    public void Nothing_has_no_runs() => Assert.Empty(Runs([], 0, 4096));

    private enum Block
    {
        Zeros,
        First,
        Last,
        Full,
    }

    private static List<Run> Runs(byte[] data, long offset, int minRun)
    {
        var runs = new List<Run>();
        foreach (var run in ZeroRuns.Enumerate(data, offset, minRun))
        {
            runs.Add(run);
        }

        return runs;
    }

    /// <summary>Blocks from a block's start on, of which the first <paramref name="phase"/> bytes are left out, and <paramref name="tail"/> zeros behind them.</summary>
    private static byte[] Fill(IList<Block> blocks, int phase, int tail)
    {
        var data = new byte[(blocks.Count * 4096) + tail];
        for (var i = 0; i < blocks.Count; i++)
        {
            var block = data.AsSpan(i * 4096, 4096);
            block[0] = (byte)(blocks[i] is Block.First or Block.Full ? 1 : 0);
            block[^1] = (byte)(blocks[i] is Block.Last or Block.Full ? 1 : 0);
        }

        return data[Math.Min(phase, data.Length)..];
    }

    /// <summary>Block by block, without a thought of speed.</summary>
    private static List<Run> ByDefinition(byte[] data, long offset, int minRun)
    {
        var blocks = data.Index().GroupBy(b => (offset + b.Index) / 4096).Select(g => new Run(g.First().Index, g.Count(), g.All(b => b.Item == 0)));
        var merged = Merge(blocks);
        return Merge(merged.Select(r => r with { IsZero = r.IsZero && r.Length >= minRun }));
    }

    private static List<Run> Merge(IEnumerable<Run> runs)
    {
        var merged = new List<Run>();
        foreach (var run in runs)
        {
            if (merged.Count > 0 && merged[^1].IsZero == run.IsZero)
            {
                merged[^1] = merged[^1] with { Length = merged[^1].Length + run.Length };
            }
            else
            {
                merged.Add(run);
            }
        }

        return merged;
    }
}
