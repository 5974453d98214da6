using RbdBackup.Core.Model;
using RbdBackup.Report;

namespace RbdBackup.Tests.Report;

/// <summary>
/// Present disks are <c>pool/name</c>, with <c>+policy</c> where metadata give one, <c>!why</c> where something speaks against it, <c>@project</c>; of stored ones
/// <c>-</c> behind the name says that no point can be read.
/// </summary>
public sealed class ReportPlannerTests
{
    private static readonly DateTimeOffset Taken = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("vms/a+daily", "", "vms/a", "vms/a Protected daily")]
    [InlineData("vms/a+daily", "", "", "vms/a Waiting daily: there is no point that can be read")]
    [InlineData("vms/a+daily", "", "vms/a-", "vms/a Waiting daily: there is no point that can be read")]
    [InlineData("vms/a", "", "", "vms/a Unprotected: no policy asks for it")]
    [InlineData("vms/a!encrypted", "", "", "vms/a Unprotected: encrypted")]
    [InlineData("vms/a", "", "vms/a", "vms/a Unprotected: no policy asks for it")]
    [InlineData("vms/a", "vms/a=weekly", "vms/a", "vms/a Protected weekly")]
    [InlineData("vms/a+daily", "vms/a=weekly", "vms/a", "vms/a Protected daily")]
    [InlineData("", "", "vms/a", "vms/a Gone: its image is not there any more")]
    [InlineData("vms/b@p2, vms/c@p1, vms/a@p2", "", "", "vms/c Unprotected: no policy asks for it, vms/a Unprotected: no policy asks for it, vms/b Unprotected: no policy asks for it")]
    public void Each_disk_is_protected_or_it_is_said_why_not(string present, string scheduled, string stored, string expected)
    {
        var lines = ReportPlanner.Plan(
            [.. Split(present).Select(Present)], Split(scheduled).Select(s => s.Split('=')).ToDictionary(s => ImageSpec.Parse(s[0]), s => s[1]),
            Split(stored).ToDictionary(s => ImageSpec.Parse(s.TrimEnd('-')), s => s.EndsWith('-')
                ? new StoredDisk(1, 10, null, null, null)
                : new StoredDisk(1, 10, PointId.New(Taken), Taken, "p")));

        Assert.Equal(expected, string.Join(", ", lines.Select(l => $"{l.Disk.Image} {l.State}{(l.Policy is null ? "" : $" {l.Policy}")}{(l.Reason is null ? "" : $": {l.Reason}")}")));
    }

    [Fact]
    public void What_is_in_a_cluster_that_could_not_be_asked_is_not_gone()
    {
        var stored = Split("vms/a, ssd:vms/b").ToDictionary(ImageSpec.Parse, _ => new StoredDisk(1, 10, PointId.New(Taken), Taken, "p"));
        Assert.Equal("Unknown, Gone", States("ssd"));
        Assert.Equal("Gone, Unknown", States(""));

        string States(string silent) => string.Join(", ", ReportPlanner.Plan([], new Dictionary<ImageSpec, string>(), stored, [silent]).Select(l => l.State));
    }

    [Fact]
    public void A_disk_whose_project_no_service_tells_has_the_one_of_its_points() =>
        Assert.Equal("p", ReportPlanner.Plan([Present("vms/a")], new Dictionary<ImageSpec, string>(), new Dictionary<ImageSpec, StoredDisk>
        {
            [new("vms", "a")] = new(1, 10, PointId.New(Taken), Taken, "p"),
        }).Single().Disk.Project);

    private static PresentDisk Present(string text)
    {
        var parts = text.Split('+', '!', '@');
        var value = parts.ElementAtOrDefault(1);
        return new PresentDisk(
            ImageSpec.Parse(parts[0]), "server", "id", null, text.Contains('@', StringComparison.Ordinal) ? value : null, text.Contains('+', StringComparison.Ordinal) ? value : null,
            text.Contains('!', StringComparison.Ordinal) ? value : null);
    }

    private static string[] Split(string text) => text.Split(", ", StringSplitOptions.RemoveEmptyEntries);
}
