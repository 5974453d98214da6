using System.Text.Json;

namespace RbdBackup.OpenStack.Tests;

/// <summary>Every message that was recorded from real services: it parses, and means what the committed table says.</summary>
public class CaptureTests
{
    private const int Captured = 195;

    [Fact]
    public void EachMeansWhatTheTableSays()
    {
        var table = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "TestData", "meanings.tsv"));
        var meanings = Capture.All.Select(c => $"{c.Name}\t{Show(c.Meaning())}").ToList();
        Assert.Equal(Captured, meanings.Count);
        Assert.Equal(table, meanings);
    }

    [Fact]
    public void EachIsReadWithAllThatIdentifiesIt() => Assert.All(Capture.All, capture =>
    {
        var notification = capture.Parse();
        Assert.Equal(capture.Name.Contains("-backup.", StringComparison.Ordinal), notification.Format == NotificationFormat.Other);
        Assert.True(Guid.TryParse(notification.MessageId, out _));
        Assert.StartsWith("req-", notification.RequestId, StringComparison.Ordinal);
        Assert.Equal(new DateOnly(2026, 11, 21), DateOnly.FromDateTime(notification.Timestamp.UtcDateTime));
        Assert.Equal(TimeSpan.Zero, notification.Timestamp.Offset);
        var origin = capture.Meaning().Origin;
        Assert.Equal("9f46b039c5574b9e8cff92759cfe6161", origin.Project);
        Assert.Equal("77903396d1d04b69b039e60045ade1d0", origin.User);
    });

    [Fact]
    public void EachTimeInThemIsReadInWhateverSpelling()
    {
        var shapes = new HashSet<string>();
        foreach (var text in Capture.All.SelectMany(c => Times(c.Parse().Payload)))
        {
            Assert.True(OpenStackTime.TryParse(text, out var time), text);
            Assert.Equal(2026, time.Year);
            shapes.Add(new string([.. text.Select(c => char.IsAsciiDigit(c) ? '0' : c)]));
        }

        Assert.Superset(new HashSet<string>(["0000-00-00T00:00:00.000000", "0000-00-00T00:00:00+00:00", "0000-00-00T00:00:00Z", "0000-00-00 00:00:00+00:00"]), shapes);
    }

    [Theory]
    [InlineData("create.end", "create.end")]
    [InlineData("delete.start", "delete.start")]
    [InlineData("rebuild.scheduled", "rebuild_scheduled")]
    [InlineData("rebuild.start", "rebuild.start")]
    [InlineData("rebuild.end", "rebuild.end")]
    [InlineData("resize.prep.start", "resize_prep.start")]
    [InlineData("resize.start", "resize.start")]
    [InlineData("resize.confirm.end", "resize_confirm.end")]
    [InlineData("shelve_offload.start", "shelve_offload.start")]
    [InlineData("unshelve.end", "unshelve.end")]
    [InlineData("power_off.end", "power_off.end")]
    public void BothOfNovasFormatsOfAnEventHaveOneKey(string legacy, string versioned)
    {
        var one = Capture.Named($"nova-legacy-compute.instance.{legacy}").Meaning();
        var other = Capture.Named($"nova-versioned-instance.{versioned}").Meaning();
        Assert.Equal(one.GetType(), other.GetType());
        Assert.NotNull(Key(one));
        Assert.Equal(Key(one), Key(other));
        Assert.NotEqual(one.Origin.MessageId, other.Origin.MessageId);
    }

    [Fact]
    public void BothOfNovasFormatsOfAnUpdateMeanTheSame()
    {
        var legacy = Updates("nova-legacy-compute.instance.update");
        var versioned = Updates("nova-versioned-instance.update");

        // A tag gives a versioned message only.
        Assert.Superset(legacy, versioned);
        Assert.NotEmpty(legacy);
        Assert.Single(versioned.Except(legacy));
    }

    [Fact]
    public void AnotherRequestIsAnotherKey()
    {
        var keys = Capture.All.Where(c => c.Name.StartsWith("nova-legacy-", StringComparison.Ordinal))
            .Select(c => c.Meaning()).OfType<PolicySeen>()
            .GroupBy(e => e.DedupKey)
            .Select(g => g.Select(e => (e.Origin.RequestId, e.Disk, e.Policy)).Distinct().Count());
        Assert.All(keys, count => Assert.Equal(1, count));
    }

    private static HashSet<string> Updates(string prefix) => [.. Capture.All
        .Where(c => c.Name.StartsWith(prefix, StringComparison.Ordinal))
        .Select(c => c.Meaning()).OfType<PolicySeen>().Select(e => $"{e.DedupKey} {e.Cause}")];

    private static string? Key(DiskEvent e) => e switch
    {
        PolicySeen p => p.DedupKey.Value,
        ReleaseDisk r => r.DedupKey.Value,
        _ => null,
    };

    private static string Show(DiskEvent e) => e switch
    {
        PolicySeen p => $"policy {p.Policy ?? "(none)"}, {p.Cause}\t{p.Disk.Image}",
        SnapshotBackupAsked s => $"snapshot {s.SnapshotName}\t{s.Disk.Image}",
        ReleaseDisk r => $"release, {r.Reason}\t{r.Disk.Image}",
        DiskGone g => $"gone\t{g.Disk.Image}",
        Ignored i => $"ignored\t{i.Reason}",
        _ => throw new InvalidOperationException(e.GetType().Name),
    };

    private static IEnumerable<string> Times(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(p =>
            p.Name.EndsWith("_at", StringComparison.Ordinal) && p.Value.ValueKind == JsonValueKind.String && p.Value.GetString() is { Length: > 0 } text
                ? [text]
                : Times(p.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Times),
        _ => [],
    };
}
