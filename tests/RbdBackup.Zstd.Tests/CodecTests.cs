using FsCheck.Fluent;
using RbdBackup.Core.Model;

namespace RbdBackup.Zstd.Tests;

public sealed class CodecTests
{
    [Fact]
    public void Any_codec_reads_what_any_codec_wrote()
    {
        var codecs = Frames.Codecs.Select(CodecFactory.Create).ToArray();
        var cases = from plain in Frames.Plain from writer in Gen.Elements(codecs) from reader in Gen.Elements(codecs) select (plain, writer, reader);
        Frames.Check(cases, 200, c => Assert.Equal(c.plain, Frames.Decompress(c.reader, Frames.Compress(c.writer, c.plain), c.plain.Length)));
        Array.ForEach(codecs, c => c.Dispose());
    }

    [Fact]
    public void Raw_frames_have_the_length_that_was_said_before()
    {
        using var codec = new RawCodec();
        Frames.Check(Frames.Plain, 100, plain => Assert.Equal(codec.MaxCompressedLength(plain.Length), Frames.Compress(codec, plain).Length));
        Assert.Throws<ArgumentOutOfRangeException>(() => codec.Compress(new byte[100], new byte[100]));
    }

    [Theory]
    [InlineData("none")]
    [InlineData("zstd:3")]
    public void Every_truncation_and_every_flipped_bit_is_corrupt_or_changes_nothing(string name)
    {
        using var codec = CodecFactory.Create(name);
        var plain = Frames.Bytes(400, 8, 1);
        var frame = Frames.Compress(codec, plain);
        for (var length = 0; length < frame.Length; length++)
        {
            AssertCorrupt(codec, frame[..length], plain.Length);
        }

        for (var bit = 0; bit < frame.Length * 8; bit++)
        {
            var flipped = frame.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            if (!IsCorrupt(codec, flipped, plain.Length, out var read))
            {
                Assert.Equal(plain, read);
            }
        }
    }

    [Fact]
    public void One_frame_is_one_frame_of_the_expected_length()
    {
        using var codec = new ZstdCodec(1);
        var frame = Frames.Compress(codec, new byte[100]);
        byte[] skippable = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0];
        AssertCorrupt(codec, frame, 99, "a zstd frame is damaged: it declares 100 plain bytes where 99 are expected");
        AssertCorrupt(codec, frame, 101, "a zstd frame is damaged: it declares 100 plain bytes where 101 are expected");
        AssertCorrupt(codec, [.. frame, 0], 100, "a zstd frame is damaged: 1 bytes follow it");
        AssertCorrupt(codec, [.. frame, .. skippable], 100, "a zstd frame is damaged: 8 bytes follow it");
        AssertCorrupt(codec, [.. frame, .. frame], 200, "a zstd frame is damaged: it declares 100 plain bytes where 200 are expected");
        AssertCorrupt(codec, skippable, 0, "a zstd frame is damaged: it does not start as one");
        AssertCorrupt(codec, [], 0, "a zstd frame is damaged: it does not start as one");
    }

    [Theory]
    [InlineData("none", "none")]
    [InlineData("zstd", "zstd:3")]
    [InlineData("zstd:1", "zstd:1")]
    [InlineData("zstd:22", "zstd:22")]
    [InlineData("zstd:-7", "zstd:-7")]
    public void Names_make_codecs(string name, string expected)
    {
        using var codec = CodecFactory.Create(name);
        Assert.Equal(expected, codec.Name);
    }

    [Theory]
    [InlineData("", "there is no codec ''")]
    [InlineData("lz4", "there is no codec 'lz4'")]
    [InlineData("ZSTD", "there is no codec 'ZSTD'")]
    [InlineData("zstd:", "there is no codec 'zstd:'")]
    [InlineData("zstd:fast", "there is no codec 'zstd:fast'")]
    [InlineData("zstd:23", "zstd has no level 23")]
    public void Other_names_are_refused(string name, string why)
    {
        var error = Assert.Throws<RbdBackupException>(() => CodecFactory.Create(name));
        Assert.Equal((ErrorKind.Usage, why), (error.Kind, error.Message));
    }

    [Fact]
    public void A_codec_serves_many_at_once()
    {
        using var codec = new ZstdCodec(1);
        Parallel.For(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            var plain = Frames.Bytes(1000 * i, 16, i);
            Assert.Equal(plain, Frames.Decompress(codec, Frames.Compress(codec, plain), plain.Length));
        });
    }

    [Fact]
    public void A_disposed_codec_says_so()
    {
        var codec = new ZstdCodec(1);
        codec.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Frames.Compress(codec, [1]));
    }

    private static bool IsCorrupt(FrameCodec codec, byte[] frame, int length, out byte[]? plain)
    {
        try
        {
            plain = Frames.Decompress(codec, frame, length);
            return false;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Corrupt)
        {
            plain = null;
            return true;
        }
    }

    private static void AssertCorrupt(FrameCodec codec, byte[] frame, int length, string? message = null)
    {
        var error = Assert.Throws<RbdBackupException>(() => Frames.Decompress(codec, frame, length));
        Assert.Equal((ErrorKind.Corrupt, message ?? error.Message), (error.Kind, error.Message));
    }
}
