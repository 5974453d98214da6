using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>What may go, and what is made independent first. Points are letters; "b:a" needs a, "b~a" came from a and needs nothing, "b@x:a" is of disk x.</summary>
public sealed class PrunePlannerTests
{
    [Theory]
    [InlineData("a b:a c:b", "c", "c", "", "")]
    [InlineData("a b:a c:b", "a", "a", "b", "")]
    [InlineData("a b:a c:b", "b", "b", "c", "")]
    [InlineData("a b:a c:b d:c", "a c", "a c", "b d", "")]
    [InlineData("a b:a c:b d:c", "c a b", "a b c", "d", "")]
    [InlineData("a b~a c:b", "a", "a", "", "")]
    [InlineData("a b:a c:a", "a", "a", "b c", "")]
    [InlineData("a b:a c@x:a d@x:c", "a", "a", "b c", "")]
    [InlineData("a b:a", "a b", "a b", "", "b: it is the disk's last good point")]
    [InlineData("a b:a c@x", "a b", "a b", "", "b: it is the disk's last good point")]
    [InlineData("a c:b", "a", "a", "", "a: it is the disk's last good point")]
    [InlineData("a b:z c:b", "b", "b", "c", "b: point c of vms/disk stands on it, and can't be made independent, since its chain is broken: name it too")]
    [InlineData("a b:z c:b", "b c", "b c", "", "")]
    public void A_prune_takes_what_is_asked_and_keeps_the_rest_readable(string points, string asked, string drops, string consolidate, string refusals)
    {
        var plan = Plan(points, asked, new PruneQuestion([], Set(""), Set(""), false, true));
        Assert.Equal(drops, Names(plan.Drops));
        Assert.Equal(consolidate, Names(plan.Consolidate));
        Assert.Equal(refusals, string.Join("; ", plan.Refusals.Select(Words)));
    }

    [Fact]
    public void Force_removes_the_last_good_point() =>
        Assert.Empty(Plan("a b:a", "a b", new PruneQuestion([], Set(""), Set(""), true, true)).Refusals);

    [Fact]
    public void A_point_that_a_running_increment_stands_on_stays_whatever_is_forced() =>
        Assert.Equal(
            ["b: an increment that is being made stands on it"],
            Plan("a b:a", "a b", new PruneQuestion([], Set(""), Set("b"), true, true)).Refusals.Select(Words));

    [Fact]
    public void Without_consolidation_a_point_with_others_on_it_stays() =>
        Assert.Equal(
            ["a: point b of vms/disk stands on it"],
            Plan("a b:a c:b", "a", new PruneQuestion([], Set(""), Set(""), true, false)).Refusals.Select(Words));

    private static PrunePlan Plan(string points, string asked, PruneQuestion question) =>
        PrunePlanner.Plan(question with { Points = [.. points.Split(' ').Select(Point)], Asked = Set(asked) });

    private static Manifest Point(string text)
    {
        var name = text[..1];
        var disk = TestRepository.Disk(text.Contains('@', StringComparison.Ordinal) ? text[2..3] : "disk");
        var head = new PlanHead
        {
            Format = 1,
            Point = Id(name),
            Disk = disk,
            Snapshot = new PointSnapshot(1, "s", true),
            Created = DateTimeOffset.UnixEpoch.AddHours(name[0]),
            Kind = PointKind.Full,
            Reason = "",
            Base = text.Length > 1 && text[^2] is ':' or '~' ? new PointBase(Id(text[^1..]), TestRepository.Disk().Key, 1) : null,
            Size = 1,
            Cut = TestRepository.SmallCut,
            Codec = "none",
            Tool = "",
        };
        return TestRepository.Manifest(head) with { Independent = text.Contains('~', StringComparison.Ordinal) };
    }

    private static PointId Id(string name) => PointId.Parse($"00000000-0000-7000-8000-0000000000{(int)name[0]:x2}");

    private static HashSet<PointId> Set(string names) => [.. names.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Id)];

    private static string Name(PointId point) => ((char)Convert.ToInt32(point.ToString()[^2..], 16)).ToString();

    private static string Names(IEnumerable<Manifest> points) => string.Join(' ', points.Select(p => Name(p.Point)));

    private static string Words(PruneRefusal refusal) =>
        $"{Name(refusal.Point.Point)}: {System.Text.RegularExpressions.Regex.Replace(refusal.Why, "00000000-0000-7000-8000-0000000000(..)", m => ((char)Convert.ToInt32(m.Groups[1].Value, 16)).ToString())}";
}
