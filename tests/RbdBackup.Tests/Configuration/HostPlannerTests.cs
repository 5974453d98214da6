using RbdBackup.Configuration;
using RbdBackup.Core.Model;

namespace RbdBackup.Tests.Configuration;

/// <summary>Which cluster a compute host's servers have their disks in.</summary>
public sealed class HostPlannerTests : IDisposable
{
    private static readonly HostRule[] Rules =
    [
        new("vms", ["cmp-0?", "old*"], ["spinning"]),
        new("ssd:vms", ["fast-1", "fast-*.example.org", "cmp-07"], ["nvme", "lab"]),
        new("far:vms", [], ["lab"]),
    ];

    private static readonly Dictionary<string, IReadOnlyList<string>> Aggregates = new()
    {
        ["spinning"] = ["cmp-01", "s1"],
        ["nvme"] = ["n1", "n2", "s2"],
        ["lab"] = ["l1"],
        ["unnamed"] = ["u1"],
    };

    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("cmp-01", "vms")]
    [InlineData("old", "vms")]
    [InlineData("old-9.example.org", "vms")]
    [InlineData("s1", "vms")]
    [InlineData("fast-1", "ssd:vms")]
    [InlineData("fast-22.example.org", "ssd:vms")]
    [InlineData("n2", "ssd:vms")]
    [InlineData("fast-2", null)]
    [InlineData("Fast-1", null)]
    [InlineData("cmp-011", null)]
    [InlineData("u1", null)]
    [InlineData("nvme", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void A_hosts_cluster_is_the_one_that_it_is_named_for(string? host, string? pool) => Assert.Equal(pool, HostPlanner.Choose(host, Rules, Aggregates)?.Pool);

    [Theory]
    [InlineData("cmp-07", "[ceph] hosts (cmp-0?), [ceph:ssd] hosts (cmp-07)")]
    [InlineData("l1", "[ceph:ssd] aggregates (lab), [ceph:far] aggregates (lab)")]
    public void A_host_that_is_named_for_two_is_refused_with_both(string host, string both)
    {
        var e = Assert.Throws<RbdBackupException>(() => HostPlanner.Choose(host, Rules, Aggregates));
        Assert.Equal(ErrorKind.Refused, e.Kind);
        Assert.Contains(both, e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Remedy);
    }

    [Fact]
    public void Without_aggregates_names_still_count()
    {
        var none = new Dictionary<string, IReadOnlyList<string>>();
        Assert.Equal(new HostChoice("ssd:vms", "[ceph:ssd] hosts (fast-1)"), HostPlanner.Choose("fast-1", Rules, none));
        Assert.Null(HostPlanner.Choose("n1", Rules, none));
        Assert.Null(HostPlanner.Choose("l1", Rules, none));
    }

    [Fact]
    public void Sections_name_hosts_and_aggregates_each_for_itself()
    {
        var settings = _folder.Load("[ceph]\nhosts = a, b*\n[ceph:ssd]\nhosts = c\n  d?\naggregates = nvme\n[ceph:hdd]\nuser = client.x\n").Settings;
        Assert.Equal(
            ["vms: a b* / ", "hdd:vms:  / ", "ssd:vms: c d? / nvme"],
            settings.HostRules.Select(r => $"{r.Pool}: {string.Join(' ', r.Hosts)} / {string.Join(' ', r.Aggregates)}"));
    }

    [Theory]
    [InlineData("[ceph]\nhosts = a\n[ceph:ssd]\nhosts = a\n", "[ceph:ssd] hosts: 'a' is named in [ceph] too")]
    [InlineData("[ceph]\nhosts = a*\n[ceph:ssd]\nhosts = b, a*\n", "[ceph:ssd] hosts: 'a*' is named in [ceph] too")]
    [InlineData("[ceph]\nhosts = a*\n[ceph:ssd]\nhosts = ab\n", "[ceph:ssd] hosts: 'ab' is named in [ceph] too")]
    [InlineData("[ceph]\nhosts = ab\n[ceph:ssd]\nhosts = ?b\n", "[ceph] hosts: 'ab' is named in [ceph:ssd] too")]
    [InlineData("[ceph:hdd]\naggregates = x\n[ceph:ssd]\naggregates = x\n", "[ceph:ssd] aggregates: 'x' is named in [ceph:hdd] too")]
    public void What_is_named_for_two_clusters_is_said_once_at_the_start(string text, string error)
    {
        var message = Assert.Throws<RbdBackupException>(() => _folder.Load(text)).Message;
        Assert.Contains(error, message, StringComparison.Ordinal);
        Assert.Equal(2, message.Split(" is named in ").Length);
    }

    [Fact]
    public void Patterns_may_overlap_until_a_host_is_in_both() =>
        Assert.Equal(2, _folder.Load("[ceph]\nhosts = a*\n[ceph:ssd]\nhosts = *b\n").Settings.HostRules.Count(r => r.Hosts.Count == 1));
}
