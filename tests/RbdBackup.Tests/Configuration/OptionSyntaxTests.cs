using FsCheck;
using FsCheck.Fluent;
using RbdBackup.Configuration;

namespace RbdBackup.Tests.Configuration;

public class OptionSyntaxTests
{
    [Theory]
    [InlineData("250ms", 0.25)]
    [InlineData("30s", 30)]
    [InlineData("10 m", 600)]
    [InlineData("2h", 7200)]
    [InlineData("3d", 259200)]
    [InlineData("1w", 604800)]
    public void Reads_durations(string text, double seconds) => Assert.Equal(TimeSpan.FromSeconds(seconds), OptionSyntax.Duration(text));

    [Theory]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("-1s")]
    [InlineData("1.5h")]
    [InlineData("1h30m")]
    [InlineData("99999999999d")]
    [InlineData("2000000000w")]
    public void Refuses_what_is_no_duration(string text) => Assert.Null(OptionSyntax.Duration(text));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("512", 512)]
    [InlineData("512B", 512)]
    [InlineData("4KiB", 4096)]
    [InlineData("32 MiB", 32L << 20)]
    [InlineData("1GiB", 1L << 30)]
    [InlineData("8TiB", 8L << 40)]
    public void Reads_byte_sizes(string text, long bytes) => Assert.Equal(bytes, OptionSyntax.Bytes(text));

    [Theory]
    [InlineData("")]
    [InlineData("4KB")]
    [InlineData("4k")]
    [InlineData("-1MiB")]
    [InlineData("1.5GiB")]
    [InlineData("99999999999999999999")]
    [InlineData("9999999999TiB")]
    public void Refuses_what_is_no_byte_size(string text) => Assert.Null(OptionSyntax.Bytes(text));

    [Theory]
    [InlineData("true", true)]
    [InlineData("Yes", true)]
    [InlineData("ON", true)]
    [InlineData("1", true)]
    [InlineData("False", false)]
    [InlineData("no", false)]
    [InlineData("off", false)]
    [InlineData("0", false)]
    [InlineData("maybe", null)]
    [InlineData("", null)]
    public void Reads_booleans_as_oslo_does(string text, bool? expected) => Assert.Equal(expected, OptionSyntax.Of(typeof(bool)).Parse(text));

    [Theory]
    [InlineData("200MiB/s", 200L << 20)]
    [InlineData("200MiB", 200L << 20)]
    [InlineData("0", 0)]
    public void Reads_rates(string text, long expected) => Assert.Equal(new ByteRate(expected), OptionSyntax.Of(typeof(ByteRate)).Parse(text));

    [Theory]
    [InlineData("none", null)]
    [InlineData("zstd", 3)]
    [InlineData("zstd:19", 19)]
    public void Reads_compressions(string text, int? level) => Assert.Equal(new Compression(level), OptionSyntax.Of(typeof(Compression)).Parse(text));

    [Theory]
    [InlineData("zstd:0")]
    [InlineData("zstd:20")]
    [InlineData("zstd:-1")]
    [InlineData("gzip")]
    public void Refuses_other_compressions(string text) => Assert.Null(OptionSyntax.Of(typeof(Compression)).Parse(text));

    [Theory]
    [InlineData("02:00", true)]
    [InlineData("23:59", true)]
    [InlineData("24:00", false)]
    [InlineData("2:00", false)]
    [InlineData("02:00:00", false)]
    public void Reads_times_of_day(string text, bool good) => Assert.Equal(good, OptionSyntax.Of(typeof(TimeOnly)).Parse(text) is not null);

    [Fact]
    public void Every_byte_size_is_read_as_it_was_written() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), n =>
        {
            Assert.Equal(n, OptionSyntax.Bytes($"{n}"));
            Assert.Equal((long)n << 20, OptionSyntax.Bytes($"{n}MiB"));
        }).QuickCheckThrowOnFailure();
}
