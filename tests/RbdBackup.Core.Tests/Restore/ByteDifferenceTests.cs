using RbdBackup.Core.Restore;

namespace RbdBackup.Core.Tests.Restore;

public sealed class ByteDifferenceTests
{
    private const int Block = ByteDifference.Block;

    /// <summary>Each letter a block of that byte, a dot a block of zeros.</summary>
    [Theory]
    [InlineData("AAAA", "AAAA", "")]
    [InlineData("AAAA", "AABA", "2+1")]
    [InlineData("AAAA", "BAAB", "0+1 3+1")]
    [InlineData("AABB", "ACCB", "1+2")]
    [InlineData("A..A", "ABBA", "1+2z")]
    [InlineData("A.BA", "ACCA", "1+1z 2+1")]
    [InlineData("....", "AAAA", "0+4z")]
    [InlineData("AAAA", "....", "0+4")]
    [InlineData("....", "....", "")]
    [InlineData("", "", "")]
    public void Whole_blocks_that_differ_are_written_and_zeros_as_zeros(string wanted, string actual, string expected)
    {
        var ranges = ByteDifference.Between(Bytes(wanted), Bytes(actual));
        Assert.Equal(expected, string.Join(' ', ranges.Select(r => $"{r.Offset / Block}+{r.Length / Block}{(r.IsZero ? "z" : "")}")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Block - 1)]
    [InlineData(Block)]
    [InlineData((3 * Block) + 99)]
    public void One_byte_writes_its_block(int at)
    {
        var wanted = new byte[(3 * Block) + 100];
        new Random(1).NextBytes(wanted);
        var actual = wanted.ToArray();
        actual[at]++;
        var range = Assert.Single(ByteDifference.Between(wanted, actual));
        Assert.Equal((at / Block * Block, Math.Min(Block, wanted.Length - (at / Block * Block))), (range.Offset, range.Length));
    }

    [Fact]
    public void What_is_written_makes_the_one_the_other()
    {
        var random = new Random(7);
        for (var round = 0; round < 200; round++)
        {
            var wanted = new byte[random.Next(1, 20 * Block)];
            var actual = new byte[wanted.Length];
            for (var n = random.Next(8); n > 0; n--)
            {
                Scribble(random, random.Next(2) == 0 ? wanted : actual);
            }

            foreach (var range in ByteDifference.Between(wanted, actual))
            {
                var to = actual.AsSpan(range.Offset, range.Length);
                if (range.IsZero)
                {
                    to.Clear();
                }
                else
                {
                    wanted.AsSpan(range.Offset, range.Length).CopyTo(to);
                }
            }

            Assert.Equal(wanted, actual);
        }
    }

    private static void Scribble(Random random, byte[] bytes)
    {
        var (from, to) = (random.Next(bytes.Length), random.Next(bytes.Length + 1));
        random.NextBytes(bytes.AsSpan(Math.Min(from, to), Math.Abs(to - from)));
    }

    private static byte[] Bytes(string blocks) => [.. blocks.SelectMany(b => Enumerable.Repeat(b == '.' ? (byte)0 : (byte)b, Block))];
}
