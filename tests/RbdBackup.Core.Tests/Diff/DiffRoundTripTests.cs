using System.Buffers;
using System.Text;
using FsCheck.Fluent;
using RbdBackup.Core.Diff;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Tests.Diff;

public sealed class DiffRoundTripTests
{
    [Fact]
    public void What_is_written_is_read_from_memory_and_from_a_stream_that_trickles()
    {
        var cases = from items in Diffs.Whole from format in Diffs.Format from most in Gen.Choose(1, 40) select (items, format, most);
        Diffs.Check(cases, 300, c =>
        {
            var bytes = Diffs.Write(c.items, c.format);
            Assert.Equal(c.items, Diffs.ReadSpan(bytes, c.format));
            using var stream = new TrickleStream(bytes, c.most);
            Assert.Equal(c.items, Diffs.ReadAsync(stream, DiffLimits.Default).GetAwaiter().GetResult());
        });
    }

    [Theory]
    [InlineData(DiffFormat.V1, 17)]
    [InlineData(DiffFormat.V2, 25)]
    public void A_data_record_takes_its_header_beyond_its_data(DiffFormat format, int expected)
    {
        Assert.Equal(expected, DiffWriter.DataHeaderLength(format));
        Assert.Equal(expected + 5, Diffs.Write([Diffs.Changed(7, "hello"u8)], format, header: false).Length);
        Assert.Equal(expected, Diffs.Write([Diffs.Zeroed(7, 5)], format, header: false).Length);
    }

    [Fact]
    public void The_bytes_of_v1_are_those_of_the_documentation()
    {
        var bytes = Diffs.Write([Diffs.Named(DiffTag.ToSnap, "b"), Diffs.Sized(0x1234), Diffs.Changed(2, "hi"u8), Diffs.Zeroed(4, 3), Diffs.Ended], DiffFormat.V1);
        Assert.Equal(
            "rbd diff v1\n" + "t\x01\0\0\0b" + "s\x34\x12\0\0\0\0\0\0" + "w\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0hi" + "z\x04\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0" + "e",
            Encoding.Latin1.GetString(bytes));
    }

    [Fact]
    public async Task Unread_data_is_passed_over_and_nothing_behind_the_end_is_touched()
    {
        var bytes = Diffs.Write([Diffs.Sized(99), Diffs.Changed(0, new byte[50]), Diffs.Zeroed(50, 9), Diffs.Ended], DiffFormat.V1);
        using var stream = new MemoryStream([.. bytes, .. bytes]);
        for (var diff = 1; diff <= 2; diff++)
        {
            var reader = new DiffStreamReader(stream, DiffLimits.Default);
            var tags = new List<DiffTag>();
            while (await reader.ReadAsync(CancellationToken.None) is { } record)
            {
                tags.Add(record.Tag);
            }

            Assert.Equal([DiffTag.Size, DiffTag.Data, DiffTag.Zero, DiffTag.End], tags);
            Assert.Equal(diff * bytes.Length, stream.Position);
            Assert.Null(await reader.ReadAsync(CancellationToken.None));
        }
    }

    [Fact]
    public async Task Unknown_records_of_v2_are_passed_over_and_of_v1_refused()
    {
        byte[] unknown = [(byte)'Q', 3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3];
        Item[] known = [Diffs.Sized(9), Diffs.Ended];
        byte[] v2 = [.. "rbd diff v2\n"u8, .. unknown, .. Diffs.Write(known, DiffFormat.V2, header: false)];
        Assert.Equal(known, Diffs.ReadSpan(v2, DiffFormat.V2));
        Assert.Equal(known, await Diffs.ReadAsync(new MemoryStream(v2), DiffLimits.Default));

        byte[] v1 = [.. "rbd diff v1\n"u8, .. unknown];
        var error = Assert.Throws<RbdBackupException>(() => Diffs.ReadSpan(v1, DiffFormat.V1));
        Assert.Equal("the rbd diff is damaged at byte 12: there is no record with the tag 0x51", error.Message);
    }

    [Fact]
    public void The_writer_refuses_what_no_reader_would_take()
    {
        var writer = new DiffWriter(new ArrayBufferWriter<byte>(), DiffFormat.V1);
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Zero(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Zero(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Zero(1L << 62, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Data(0, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Size(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.ToSnap(new string('n', 4097)));
    }
}
