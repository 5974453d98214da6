using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Restore;

/// <summary>
/// A point is <c>image day</c>, with <c>:day</c> behind it where it stands on the point of that day, <c>!</c> where its policy is gold, <c>%</c> where its project is p,
/// and <c>~</c> where another cluster had the image. Days are those of November.
/// </summary>
public sealed class RestoreAllPlannerTests
{
    private static readonly DateTimeOffset Start = new(2026, 10, 31, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("vms/a 1, vms/a 2:1, vms/b 1", "", "", "vms/a 2, vms/b 1")]
    [InlineData("vms/a 1, vms/a 2:1, vms/a 9:2", "", "", "vms/a 2")]
    [InlineData("vms/a 1, vms/a 3:2", "", "", "vms/a 1")]
    [InlineData("vms/a 9", "", "", "vms/a -")]
    [InlineData("vms/a 3:2", "", "", "vms/a -")]
    [InlineData("vms/a 1, vms/b 1", "vms/a", "", "vms/a =, vms/b 1")]
    [InlineData("vms/a 1, vms/b 1", "vms/a", "replace", "vms/a 1, vms/b 1")]
    [InlineData("vms/a 1~, vms/a 2", "", "", "vms/a 2")]
    [InlineData("vms/a 1, vms/a 2~", "", "", "vms/a 2")]
    [InlineData("vms/a 1, vms/b 4", "", "since 3", "vms/b 4")]
    [InlineData("vms/a 1, volumes/b 1", "", "pool volumes", "volumes/b 1")]
    [InlineData("vms/a 1, vms/b 1%", "", "project p", "vms/b 1")]
    [InlineData("vms/a 1, vms/b 1!, volumes/c 1", "", "first policy:gold", "vms/b 1, vms/a 1, volumes/c 1")]
    [InlineData("vms/a 1, vms/b 1!, volumes/c 1", "", "first pool:volumes, first policy:gold", "volumes/c 1, vms/b 1, vms/a 1")]
    [InlineData("vms/a 1, vms/b 1%, vms/c 1", "", "first image:vms/c, first project:p", "vms/c 1, vms/b 1, vms/a 1")]
    public void The_newest_point_that_can_be_read_of_each_image_comes_back_the_most_important_first(string points, string there, string asked, string expected)
    {
        var ask = new RestoreAllAsk(Day(5));
        foreach (var word in Split(asked))
        {
            ask = word.Split(' ') switch
            {
                ["since", var day] => ask with { Since = Day(int.Parse(day, null)) },
                ["pool", var pool] => ask with { Pools = [pool] },
                ["project", var project] => ask with { Projects = [project] },
                ["first", var what] => ask with { Priorities = [.. ask.Priorities, Priority.Parse(what)] },
                _ => ask with { Replace = true },
            };
        }

        var plan = RestoreAllPlanner.Plan([.. Split(points).Select(Point)], disk => Keys.ParseDisk(disk).Image, i => Split(there).Contains(i.ToString()), ask);

        Assert.Equal(expected, string.Join(", ", plan.Select(i => $"{i.Image} {(i.Verdict, i.Point) switch
        {
            (RestoreVerdict.Restore, { } p) => $"{(p.Created - Start).Days}",
            (RestoreVerdict.Exists, _) => "=",
            _ => "-",
        }}")));
    }

    [Theory]
    [InlineData("gold")]
    [InlineData("policy:")]
    [InlineData("flavor:big")]
    public void A_priority_that_says_nothing_is_refused(string text) =>
        Assert.Equal(ErrorKind.Usage, Assert.Throws<RbdBackupException>(() => Priority.Parse(text)).Kind);

    private static RotationPoint Point(string text)
    {
        var (image, day, below) = text.TrimEnd('!', '%', '~').Split(' ', ':') switch
        {
            [var i, var d] => (i, int.Parse(d, null), 0),
            [var i, var d, var b] => (i, int.Parse(d, null), int.Parse(b, null)),
            _ => throw new FormatException(text),
        };
        var fsid = text.Contains('~', StringComparison.Ordinal) ? "7f1c2a52-0ddb-4d0b-8f0f-5d1f3f0c6d11" : TestRepository.Fsid;
        var disk = Keys.Disk(fsid, ImageSpec.Parse(image));
        return new RotationPoint(
            Id(image, day), disk, Day(day), below == 0 ? PointKind.Full : PointKind.Increment, below == 0 ? null : new PointBase(Id(image, below), disk, 1), Day(day),
            text.Contains('!', StringComparison.Ordinal) ? "gold" : null, text.Contains('%', StringComparison.Ordinal) ? "p" : null);
    }

    /// <summary>The same id for the same image and day.</summary>
    private static PointId Id(string image, int day)
    {
        var time = Day(day).ToUnixTimeMilliseconds();
        return PointId.Parse($"{time >> 16:x8}-{time & 0xffff:x4}-7000-8000-{(uint)image.Sum(c => c * 31):x12}");
    }

    private static DateTimeOffset Day(int day) => Start.AddDays(day);

    private static string[] Split(string text) => text.Split(", ", StringSplitOptions.RemoveEmptyEntries);
}
