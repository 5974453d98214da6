using FsCheck.Fluent;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Tests.Diff;
using RbdBackup.Zstd;

namespace RbdBackup.Core.Tests.Repository;

public sealed class FrameTests
{
    private static readonly PointId Point = PointId.New(new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero));
    private static readonly StreamHead Head = new("rbdbackup.from", "rbdbackup.to", 1 << 20);

    [Theory]
    [InlineData("none")]
    [InlineData("zstd:3")]
    public void What_was_encoded_is_decoded(string name)
    {
        using var codec = CodecFactory.Create(name);
        using var other = CodecFactory.Create(name == "none" ? "zstd:1" : "none");
        Diffs.Check(Gen.Choose(0, int.MaxValue), 150, seed =>
        {
            var random = new Random(seed);
            var image = Images.Random(random, 100_000);
            var extents = Images.Difference(Images.Random(random, 100_000), image);
            var head = random.Next(2) == 0 ? Head : null;
            var end = random.Next(2) == 0;
            using var stored = Encode(codec, image, extents, head, end);
            using var frame = Decode(stored.ToArray(), other);
            Assert.Equal(extents, frame.Header.Extents);
            Assert.Equal(end, frame.Header.End);
            Assert.Equal(extents.Sum(e => e.Length), stored.DataBytes + stored.ZeroBytes);

            var read = Enumerable.Repeat((byte)0xEE, image.Length).ToArray();
            foreach (var run in frame.Runs)
            {
                var to = read.AsSpan((int)run.Offset, (int)run.Length);
                if (run.IsZero)
                {
                    to.Clear();
                }
                else
                {
                    frame.Records.Span.Slice(run.Start, (int)run.Length).CopyTo(to);
                }
            }

            Assert.All(extents, e => Assert.True(read.AsSpan((int)e.Offset, (int)e.Length).SequenceEqual(image.AsSpan((int)e.Offset, (int)e.Length))));
        });
    }

    [Theory]
    [InlineData("none")]
    [InlineData("zstd:3")]
    public void Every_changed_bit_of_a_frame_is_found(string name)
    {
        using var codec = CodecFactory.Create(name);
        var image = Images.Random(new Random(3), 12_000);
        image.AsSpan(2000, 6500).Clear();
        Extent[] extents = [new(0, 9000, true), new(9500, 300, false), new(10_000, 700, true)];
        using var stored = Encode(codec, image, extents, Head, end: true);
        using var whole = Decode(stored.ToArray(), codec);
        var records = whole.Records.ToArray();
        var header = stored.Length - whole.Header.StoredLength;
        for (var at = 0; at < stored.Length; at++)
        {
            // All of the header and of the ends, a sample of the rest: a decoding of each of the hundred thousand bits takes too long.
            var bits = at < header + 200 || at > stored.Length - 60 ? 8 : at % 7 == 0 ? 1 : 0;
            for (var bit = 0; bit < bits; bit++)
            {
                var damaged = stored.ToArray().ToArray();
                damaged[at] ^= (byte)(1 << ((bit + at) % 8));
                try
                {
                    // zstd has bits that mean nothing, one in its header and some in what it compressed.
                    using var frame = Decode(damaged, codec);
                    Assert.Equal(records, frame.Records.ToArray());
                    Assert.True(name == "none" ? at == header + 4 : at >= header + 4, $"byte {at}");
                }
                catch (RbdBackupException e)
                {
                    Assert.Equal(ErrorKind.Corrupt, e.Kind);
                    Assert.Contains("some/key", e.Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public void The_hash_covers_the_names_and_the_size_even_where_zstd_agrees()
    {
        using var codec = CodecFactory.Create("none");
        var image = Images.Random(new Random(4), 5000);
        Extent[] extents = [new(0, 5000, true)];
        using var stored = Encode(codec, image, extents, Head, end: true);
        using var forged = Encode(codec, image, extents, Head with { Size = (1 << 20) - 1 }, end: true);
        using var whole = Decode(stored.ToArray(), codec);
        var header = stored.Length - whole.Header.StoredLength;
        byte[] mixed = [.. stored.ToArray().AsSpan()[..header], .. forged.ToArray().AsSpan()[header..]];
        Assert.Equal(ErrorKind.Corrupt, Assert.Throws<RbdBackupException>(() => Decode(mixed, codec)).Kind);
    }

    [Fact]
    public void A_frame_of_another_point_or_segment_is_found()
    {
        using var codec = CodecFactory.Create("none");
        using var stored = Encode(codec, new byte[10], [new Extent(0, 10, true)], Head, end: true);
        Assert.Throws<RbdBackupException>(() => DecodedFrame.Decode(stored.ToArray().AsSpan(), codec, "k", Point, 8, FrameSource.MaxFrame));
        Assert.Throws<RbdBackupException>(() =>
            DecodedFrame.Decode(stored.ToArray().AsSpan(), codec, "k", PointId.New(DateTimeOffset.UnixEpoch), 7, FrameSource.MaxFrame));
        Assert.Throws<RbdBackupException>(() => DecodedFrame.Decode(stored.ToArray().AsSpan(), codec, "k", Point, 7, 16));
    }

    private static StoredFrame Encode(FrameCodec codec, byte[] image, IReadOnlyList<Extent> extents, StreamHead? head, bool end) =>
        new FrameEncoder(codec, Point, TestRepository.SmallCut).Encode(7, new FramePlan(2, extents), Images.Read(image, extents), head ?? (extents.Count == 0 ? Head : null), end);

    private static DecodedFrame Decode(ReadOnlyMemory<byte> stored, FrameCodec codec) =>
        DecodedFrame.Decode(stored.Span, codec, "some/key", Point, 7, FrameSource.MaxFrame);
}
