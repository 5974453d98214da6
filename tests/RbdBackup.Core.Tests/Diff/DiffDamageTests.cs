using System.Buffers.Binary;
using FsCheck.Fluent;
using RbdBackup.Core.Diff;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Tests.Diff;

public sealed class DiffDamageTests
{
    private static readonly DiffLimits Unordered = new() { AllowUnordered = true };

    [Fact]
    public void Every_truncation_of_a_stream_is_corrupt_and_says_where()
    {
        Diffs.Check(SmallDiffs, 20, c =>
        {
            for (var length = 0; length < c.Bytes.Length; length++)
            {
                var error = Assert.Throws<RbdBackupException>(() => ReadStream(c.Bytes[..length]));
                Assert.Equal(ErrorKind.Corrupt, error.Kind);
                Assert.Equal($"the rbd diff is cut off after {length} bytes", error.Message);
            }
        });
    }

    [Fact]
    public void A_frame_cut_within_a_record_is_corrupt_and_cut_between_records_gives_those_before()
    {
        Diffs.Check(SmallDiffs, 20, c =>
        {
            var ends = new HashSet<int> { 0 };
            for (var count = 1; count <= c.Items.Length; count++)
            {
                ends.Add(Diffs.Write(c.Items[..count], c.Format, header: false).Length);
            }

            var frame = Diffs.Write(c.Items, c.Format, header: false);
            for (var length = 0; length < frame.Length; length++)
            {
                if (ends.Contains(length))
                {
                    Assert.Equal(c.Items[..Diffs.ReadSpan(frame.AsSpan(0, length), c.Format).Count], Diffs.ReadSpan(frame.AsSpan(0, length), c.Format));
                }
                else
                {
                    var error = Assert.Throws<RbdBackupException>(() => Diffs.ReadSpan(frame.AsSpan(0, length), c.Format));
                    Assert.Equal(ErrorKind.Corrupt, error.Kind);
                }
            }
        });
    }

    /// <summary>v1 has one way only to write a list of records, so what was read, written again, must be the flipped bytes (or their start, where a flip made an end record).</summary>
    [Fact]
    public void Every_flipped_bit_is_corrupt_or_another_well_formed_diff_and_no_claim_allocates()
    {
        Diffs.Check(SmallDiffs, 20, c => FlipEachBit(c.Bytes, flipped =>
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            if (TryRead(() => ReadStream(flipped)) is { } items && c.Format == DiffFormat.V1)
            {
                Assert.True(flipped.AsSpan().StartsWith(Diffs.Write(items, DiffFormat.V1)));
            }

            if (TryRead(() => Diffs.ReadSpan(flipped, c.Format)) is { } records && c.Format == DiffFormat.V1)
            {
                var banner = flipped.AsSpan().StartsWith("rbd diff v1\n"u8);
                Assert.Equal(flipped, Diffs.Write(records, DiffFormat.V1, header: banner));
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }));
    }

    [Theory]
    [InlineData('f', 0xFFFFFFFF, 0UL, "a snapshot's name is longer than 4096 bytes")]
    [InlineData('t', 4097UL, 0UL, "a snapshot's name is longer than 4096 bytes")]
    [InlineData('s', 1UL << 63, 0UL, "the image's size is more than 2^62")]
    [InlineData('s', 1UL << 61, 0UL, "an image of 2305843009213693952 bytes is larger than the 1152921504606846976 that are allowed")]
    [InlineData('w', 0UL, 1UL << 63, "a length is more than 2^62")]
    [InlineData('w', ulong.MaxValue, 1UL, "an offset is more than 2^62")]
    [InlineData('w', 1UL << 62, 1UL, "no image has a range of 1 bytes at 4611686018427387904")]
    [InlineData('w', 8UL, 0UL, "no image has a range of 0 bytes at 8")]
    [InlineData('z', 8UL, 0UL, "no image has a range of 0 bytes at 8")]
    [InlineData('w', 0UL, (1UL << 30) + 1, "a record of 1073741825 bytes is longer than the 1073741824 that are allowed")]
    public void Claims_beyond_the_limits_are_refused(char tag, ulong first, ulong second, string why)
    {
        var bytes = new byte[12 + 17 + 4100];
        "rbd diff v1\n"u8.CopyTo(bytes);
        bytes[12] = (byte)tag;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(13), first);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(21), second);
        var error = Assert.Throws<RbdBackupException>(() => ReadStream(bytes));
        Assert.Equal($"the rbd diff is damaged at byte 12: {why}", error.Message);
    }

    [Fact]
    public void A_v2_record_whose_length_is_not_its_fields_is_refused()
    {
        var bytes = Diffs.Write([Diffs.Sized(5), Diffs.Ended], DiffFormat.V2);
        bytes[13] = 9;
        var error = Assert.Throws<RbdBackupException>(() => ReadStream(bytes));
        Assert.Equal("the rbd diff is damaged at byte 12: a record claims 9 bytes and has 8", error.Message);
    }

    [Fact]
    public async Task Order_is_demanded_unless_the_limits_allow_otherwise()
    {
        var bytes = Diffs.Write([Diffs.Sized(100), Diffs.Zeroed(50, 10), Diffs.Zeroed(55, 10), Diffs.Zeroed(0, 10), Diffs.Ended], DiffFormat.V1);
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => Diffs.ReadAsync(new MemoryStream(bytes), DiffLimits.Default));
        Assert.Contains("a range at 55 does not follow the one before, which ends at 60", error.Message, StringComparison.Ordinal);
        Assert.Equal(5, (await Diffs.ReadAsync(new MemoryStream(bytes), Unordered)).Count);
    }

    [Fact]
    public void Ranges_lie_in_the_image_and_names_before_the_data()
    {
        AssertCorrupt("10 bytes at 95 reach beyond the image's 100 bytes", Diffs.Sized(100), Diffs.Zeroed(95, 10), Diffs.Ended);
        AssertCorrupt("a name or the size follows data", Diffs.Sized(100), Diffs.Zeroed(0, 10), Diffs.Named(DiffTag.ToSnap, "late"), Diffs.Ended);
    }

    [Fact]
    public void What_is_no_diff_or_goes_on_behind_the_end_is_refused()
    {
        Assert.Contains("does not start with", Assert.Throws<RbdBackupException>(() => ReadStream(new byte[100])).Message, StringComparison.Ordinal);
        byte[] frame = [.. Diffs.Write([Diffs.Ended], DiffFormat.V1), 0, 0];
        Assert.Equal(
            "the rbd diff is damaged at byte 13: 2 bytes follow the end record",
            Assert.Throws<RbdBackupException>(() => Diffs.ReadSpan(frame, DiffFormat.V1)).Message);
    }

    private static FsCheck.Gen<(Item[] Items, DiffFormat Format, byte[] Bytes)> SmallDiffs =>
        from items in Diffs.Whole
        from format in Diffs.Format
        let bytes = Diffs.Write(items, format)
        where bytes.Length < 250
        select (items, format, bytes);

    private static List<Item> ReadStream(byte[] bytes) => Diffs.ReadAsync(new MemoryStream(bytes), DiffLimits.Default).GetAwaiter().GetResult();

    /// <summary>What was read, or null where it was corrupt; any other exception is a failure.</summary>
    private static List<Item>? TryRead(Func<List<Item>> read)
    {
        try
        {
            return read();
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Corrupt)
        {
            return null;
        }
    }

    private static void FlipEachBit(byte[] bytes, Action<byte[]> check)
    {
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var flipped = bytes.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            check(flipped);
        }
    }

    private static void AssertCorrupt(string why, params Item[] items) =>
        Assert.Contains(why, Assert.Throws<RbdBackupException>(() => ReadStream(Diffs.Write(items, DiffFormat.V1))).Message, StringComparison.Ordinal);
}
