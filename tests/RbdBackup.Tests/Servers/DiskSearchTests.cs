using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Servers;

namespace RbdBackup.Tests.Servers;

/// <summary>Which of several clusters has a disk.</summary>
public sealed class DiskSearchTests
{
    private static readonly RbdBackupException Down = new(ErrorKind.Unavailable, "no monitor answers");

    public static TheoryData<string, string> Sights => new()
    {
        // A letter for each cluster: + has it, - has it not, ? does not answer.
        { "+", "a" }, { "-", "none" }, { "+-", "a" }, { "-+", "b" }, { "--", "none" }, { "++", "Refused" }, { "+?", "a" }, { "?+", "b" },
        { "-?", "Unavailable" }, { "?-", "Unavailable" }, { "??", "Unavailable" }, { "+?+", "Refused" }, { "--+", "c" }, { "--?", "Unavailable" },
    };

    [Theory]
    [MemberData(nameof(Sights))]
    public void What_is_found_nowhere_is_not_there_only_where_all_clusters_answered(string seen, string expected)
    {
        var sights = seen.Select((s, i) => new PoolSight($"{(char)('a' + i)}", s == '+' ? ["x_disk"] : [], s == '?' ? Down : null)).ToList();
        try
        {
            Assert.Equal(expected, PoolPlanner.Choose("server x", sights) ?? "none");
        }
        catch (RbdBackupException e)
        {
            Assert.Equal(expected, e.Kind.ToString());
            Assert.Contains("server x", e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("h@fast#fast", "ssd:volumes", "ssd:volumes")]
    [InlineData("h@fast#volumes", "ssd:volumes", "ssd:volumes")]
    [InlineData("h@slow#slow", "volumes", "slow volumes")]
    [InlineData("h@slow#volumes", "volumes", "volumes")]
    [InlineData("h@slow#ssd:volumes", "volumes", "volumes")]
    [InlineData("h@old#old", "volumes-old", "volumes-old")]
    public void A_volumes_cluster_is_its_backends(string host, string pool, string asShown)
    {
        var pools = new DiskPools(["vms", "ssd:vms"], ["volumes", "ssd:volumes"], ["fast=ssd:volumes", "old=volumes-old"]);
        Assert.Equal(pool, pools.OfVolume(host));
        Assert.Equal(asShown.Split(' '), pools.OfVolumeAsShown(host));
        Assert.Equal(["volumes", "ssd:volumes", "volumes-old"], pools.Volumes);
    }
}
