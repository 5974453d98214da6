using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Tests.Verify;

/// <summary>The pure parts: which parts of an image are compared, and which of several results counts.</summary>
public sealed class PlannerTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 2, 0, 0, TimeSpan.Zero);
    private static readonly PointId Point = PointId.New(Now);

    [Theory]
    [InlineData(0, 50, 0)]
    [InlineData(1, 0.001, 1)]
    [InlineData(1000, 1, 10)]
    [InlineData(1001, 1, 11)]
    [InlineData(1000, 100, 1000)]
    [InlineData(7, 50, 4)]
    public void A_sample_has_its_share_each_part_once_in_order(long parts, double percent, int chosen)
    {
        var sample = SamplePlanner.Parts(parts * 4096, 4096, percent, 99).ToList();
        Assert.Equal(chosen, sample.Count);
        Assert.Equal(chosen, SamplePlanner.CountOf(parts, percent));
        Assert.Equal(sample.Distinct().Order(), sample);
        Assert.All(sample, part => Assert.InRange(part, 0, parts - 1));
    }

    [Fact]
    public void A_part_that_is_not_full_counts_too() => Assert.Equal([0, 1], SamplePlanner.Parts(4097, 4096, 100, 1));

    [Fact]
    public void The_same_day_gives_the_same_sample_and_days_cover_all()
    {
        Assert.Equal(Sample(Now), Sample(Now.AddHours(10)));
        Assert.NotEqual(Sample(Now), Sample(Now.AddDays(1)));
        var covered = Enumerable.Range(0, 200).SelectMany(day => Sample(Now.AddDays(day))).ToHashSet();
        Assert.Equal(100, covered.Count);

        static List<long> Sample(DateTimeOffset at) => [.. SamplePlanner.Parts(100 * 4096, 4096, 5, SamplePlanner.Seed(Point, at))];
    }

    [Theory]
    [InlineData("quick+", "Quick True")]
    [InlineData("quick+ data+", "Data True")]
    [InlineData("data+ quick+", "Quick True")]
    [InlineData("data- quick+", "Data False")]
    [InlineData("quick- data+", "Data True")]
    [InlineData("data- data+", "Data True")]
    [InlineData("data+ data-", "Data False")]
    [InlineData("source- data+ restore+", "Source False")]
    [InlineData("source- data+ source+", "Source True")]
    [InlineData("restore- data- quick+", "Data False")]
    public void Damage_stands_until_the_same_check_or_a_wider_one_finds_none(string results, string expected)
    {
        var keys = results.Split(' ').Select((r, n) => Key(Enum.Parse<VerifyKind>(r[..^1], ignoreCase: true), r[^1] == '+', Now.AddMinutes(n)));
        var state = VerifiedState.Of(keys)!;
        Assert.Equal(expected, $"{state.Kind} {state.Ok}");
    }

    [Fact]
    public void Without_results_nothing_is_known() => Assert.Null(VerifiedState.Of([]));

    [Fact]
    public void A_result_s_key_says_what_a_listing_needs()
    {
        var disk = Keys.Disk("6f1c2a52-0ddb-4d0b-8f0f-5d1f3f0c6d11", new ImageSpec("vms", "a/b.c", "..disk.1"));
        foreach (var kind in Enum.GetValues<VerifyKind>())
        {
            var key = Keys.TryParseVerified(Keys.Verified(disk, Point, Now, kind, kind == VerifyKind.Data, AttemptId.New()))!;
            Assert.Equal((disk, Point, Now, kind, kind == VerifyKind.Data), (key.Disk, key.Point, key.At, key.Kind, key.Ok));
        }

        Assert.Null(Keys.TryParseVerified($"verified/{disk}/{Point}.000001764036000.quick.bad.0123456789abcdef.json"));
        Assert.Null(Keys.TryParseVerified($"verified/{disk}/{Point}.999999999999999.slow.ok.0123456789abcdef.json"));
        Assert.Null(Keys.TryParseVerified("verified/x"));
    }

    private static VerifiedKey Key(VerifyKind kind, bool ok, DateTimeOffset at) => new("", "", Point, at, kind, ok);
}
