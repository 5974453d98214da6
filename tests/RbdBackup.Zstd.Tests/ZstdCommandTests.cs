using RbdBackup.Core.Model;
using RbdBackup.Core.Tests.Diff;

namespace RbdBackup.Zstd.Tests;

/// <summary>The <c>zstd</c> command reads our frames, and we its.</summary>
public sealed class ZstdCommandTests
{
    [Fact]
    public async Task The_command_reads_frames_of_all_codecs_with_skippable_ones_between()
    {
        List<byte> stream = [];
        List<byte> expected = [];
        foreach (var (name, index) in Frames.Codecs.Select((c, i) => (c, i)))
        {
            using var codec = CodecFactory.Create(name);
            foreach (var length in new[] { 0, 1, 131_072, 131_073, 300_000 })
            {
                var plain = Frames.Bytes(length, 16, index);
                stream.AddRange(Frames.Compress(codec, plain));
                stream.AddRange([0x5A, 0x2A, 0x4D, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);
                expected.AddRange(plain);
            }
        }

        Assert.Equal(expected, await Tool.RunAsync("zstd", ["-d", "-c", "-q"], stream.ToArray()));
    }

    [Theory]
    [InlineData("none")]
    [InlineData("zstd:1")]
    public async Task The_command_sees_a_flipped_bit(string name)
    {
        using var codec = CodecFactory.Create(name);
        var frame = Frames.Compress(codec, Frames.Bytes(10_000, 256, 1));
        frame[5000] ^= 1;
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Tool.RunAsync("zstd", ["-d", "-c"], frame));
        Assert.Contains("checksum", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_command_s_frames_are_read_if_they_declare_their_length()
    {
        using var codec = new RawCodec();
        var plain = Frames.Bytes(300_000, 16, 1);
        var declared = await Tool.RunAsync("zstd", ["-c", "--long=27", $"--stream-size={plain.Length}"], plain);
        Assert.Equal(plain, Frames.Decompress(codec, declared, plain.Length));

        var undeclared = await Tool.RunAsync("zstd", ["-c"], plain);
        var error = Assert.Throws<RbdBackupException>(() => Frames.Decompress(codec, undeclared, plain.Length));
        Assert.Equal("a zstd frame is damaged: it does not declare its plain length", error.Message);
    }
}
