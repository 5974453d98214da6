using System.Globalization;
using System.Text;
using RbdBackup.Core.Rotate;
using static RbdBackup.Core.Tests.Rotate.Rotations;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>
/// Policies day by day: a backup every night, then a rotation. The verdicts are in files that a person reads; the picture in docs/policies.md comes
/// from the same days. RBDBACKUP_GOLDEN=write writes them anew.
/// </summary>
public sealed class GoldenRotationTests
{
    private const int Days = 100;

    private static readonly (string Name, int? FullEvery, RotationRule Rule)[] Policies =
    [
        ("cycle_days = 3, keep_cycles = 2", 3, Cycles(3, 2)),
        ("keep_last = 3, keep_daily = 7, keep_weekly = 4, keep_monthly = 6", null,
            Rule(new LastRule(3), Newest(Period.Day, 7), Newest(Period.Week, 4), Newest(Period.Month, 6))),
        ("cycle_days = 7, keep_cycles = 2, keep_monthly = 12", 7, Rule(new CycleRule(7, 2), Newest(Period.Month, 12))),
        ("keep_within = 10d, keep_min_age = 2d, full_every = 30", 30, Rule(new WithinRule(TimeSpan.FromDays(10))) with { MinAge = TimeSpan.FromDays(2) }),
    ];

    [Theory]
    [InlineData(0, "cycles")]
    [InlineData(1, "keep")]
    [InlineData(2, "cycles-and-monthly")]
    [InlineData(3, "within")]
    public void Verdicts_day_by_day_are_those_in_the_file(int policy, string file)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"# {Policies[policy].Name}: what each night's rotation drops, makes independent (=) and leaves. F is a full.\n");
        RotationPlan? last = null;
        foreach (var (day, plan, left) in Run(policy))
        {
            var drops = plan.Verdicts.Where(v => !v.Keep).Select(v => $"{Day(v.Point)} ({string.Join("; ", v.Reasons)})");
            text.Append(CultureInfo.InvariantCulture, $"day {day}: drops {Text(drops)}; = {Text(plan.Consolidate.Select(c => Day(left.First(p => p.Point == c))))}; leaves {Text(left.Select(Day))}\n");
            last = plan;
        }

        text.Append(CultureInfo.InvariantCulture, $"# The verdicts of day {Days - 1}, with their reasons:\n");
        foreach (var verdict in last!.Verdicts)
        {
            text.Append(CultureInfo.InvariantCulture, $"{verdict.Point.Created:yyyy-MM-dd ddd} {(verdict.Keep ? "keep" : "drop")} {string.Join("; ", verdict.Reasons)}\n");
        }

        Hold(Path.Combine("tests", "RbdBackup.Core.Tests", "Rotate", "TestData", $"{file}.txt"), text.ToString());
    }

    [Fact]
    public void The_picture_in_the_documentation_shows_these_days() => Hold(Path.Combine("docs", "policies.svg"), PolicyPicture.Draw(
        [.. Policies.Take(2).Select((p, i) => (p.Name, Run(i).Select(d => (IReadOnlyList<bool?>)[.. Enumerable.Range(0, Days).Select(n => Shade(d.Left, n))]).ToList()))]));

    /// <summary>Whether a day's point is there: null for no, else whether it needs no other.</summary>
    private static bool? Shade(IReadOnlyList<RotationPoint> left, int day) => left.FirstOrDefault(p => (int)(p.Created - Start).TotalDays == day) is { } point ? point.Needs is null : null;

    private static IEnumerable<(int Day, RotationPlan Plan, IReadOnlyList<RotationPoint> Left)> Run(int policy)
    {
        var (_, fullEvery, rule) = Policies[policy];
        var points = new List<RotationPoint>();
        for (var day = 0; day < Days; day++)
        {
            // The hour wanders, as a schedule's jitter makes it.
            var at = Start.AddDays(day).AddMinutes(day * 37 % 90);
            points.Add(Point(at, day == 0 || day % fullEvery == 0 ? null : points[^1]));
            var plan = RotatePlanner.Plan(Question(points, rule, at));
            points = CarryOut(points, plan);
            yield return (day, plan, points);
        }
    }

    private static string Day(RotationPoint point) => (point.Kind == Core.Repository.PointKind.Full ? "F" : "") + (int)(point.Created - Start).TotalDays;

    private static string Text(IEnumerable<string> items) => string.Join(' ', items.DefaultIfEmpty("nothing"));

    private static void Hold(string file, string text)
    {
        var path = TopFolder.Of(file);
        if (Environment.GetEnvironmentVariable("RBDBACKUP_GOLDEN") == "write")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }

        Assert.Equal(File.ReadAllText(path), text);
    }
}
