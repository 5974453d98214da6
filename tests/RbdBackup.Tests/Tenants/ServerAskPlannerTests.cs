using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Tenants;
using RbdBackup.Worker;

namespace RbdBackup.Tests.Tenants;

/// <summary>Which wishes are one for a server as a whole.</summary>
public sealed class ServerAskPlannerTests
{
    private static readonly IReadOnlyDictionary<string, PolicySettings> Policies = new Dictionary<string, PolicySettings>(Cloud.Policies)
    {
        ["whole"] = Cloud.Policies["daily"] with { Consistency = "crash" },
    };

    private static readonly ImageSpec Root = new("vms", $"{Cloud.ServerId}_disk");
    private static readonly ImageSpec Data = new("volumes", $"volume-{Cloud.VolumeId}");

    [Theory]
    [InlineData("whole", null, 0, 2)] // both by the server's word: one server point
    [InlineData("daily", null, 2, 0)] // its consistency is not set
    [InlineData("whole", "daily", 1, 1)] // the volume's own word keeps its own turns
    [InlineData("daily", "whole", 2, 0)] // a volume's word is never one for its server
    [InlineData("gone", null, 2, 0)] // a policy that nobody knows any more
    public void Disks_that_the_server_protects_are_asked_for_together_where_the_policy_says_so(string server, string? volume, int alone, int together)
    {
        var (disks, whole) = Split(Seen(SubjectKind.Server, server, volume));
        Assert.Equal((alone, together), (disks.Count, whole?.Disks.Count ?? 0));
        Assert.Equal(together == 0 ? null : $"{Cloud.ServerId} a whole", whole is null ? null : $"{whole.Server} {whole.Project} {whole.Policy}");
    }

    [Fact]
    public void The_same_look_has_the_same_key_and_another_wish_another_one()
    {
        var key = Split(Seen(SubjectKind.Server, "whole", null)).Server!.Key;
        Assert.Equal(key, Split(Seen(SubjectKind.Server, "whole", null)).Server!.Key);
        Assert.NotEqual(key, Split(Seen(SubjectKind.Server, "whole", "daily")).Server!.Key);
    }

    [Fact]
    public void A_look_at_a_volume_asks_for_the_volume()
    {
        var (disks, whole) = Split(Seen(SubjectKind.Volume, "whole", null));
        Assert.Equal((2, null), (disks.Count, whole));
    }

    [Fact]
    public void A_turn_is_the_servers_for_disks_that_its_own_word_protects()
    {
        Member[] members =
        [
            new(Data, "whole", "a") { Server = Cloud.ServerId, Volume = Cloud.VolumeId, ByServer = true }, new(Root, "whole", "a") { Server = Cloud.ServerId, ByServer = true },
            new(new ImageSpec("volumes", "own"), "whole", "a") { Server = Cloud.ServerId }, new(new ImageSpec("volumes", "claimed"), "whole", null) { ByServer = true, Server = Cloud.OtherServerId },
        ];
        var server = Assert.Single(ServerAskPlanner.Servers(members));
        Assert.Equal((Cloud.ServerId, 2), (server.Key, server.Value.Count));
        Assert.Equal([Root, Data], server.Value.Select(m => m.Image));
    }

    private static (IReadOnlyList<PlannedAsk> Disks, PlannedServerAsk? Server) Split(Survey seen) =>
        ServerAskPlanner.Split(seen, TenantPlanner.Plan(seen, null, new Dictionary<ImageSpec, Member>()).Asks, Policies);

    private static Survey Seen(SubjectKind kind, string server, string? volume) => new(
        new Subject(kind, kind == SubjectKind.Server ? Cloud.ServerId : Cloud.VolumeId), "a", server, null,
        [
            new Disk(DiskKindOf(Root), Cloud.ServerId, Cloud.ServerId, "a", Root, Fate.Protected) { Policy = server, ByServer = true },
            new Disk(DiskKindOf(Data), Cloud.VolumeId, Cloud.ServerId, "a", Data, Fate.Protected) { Policy = volume ?? server, ByServer = volume is null },
        ]);

    private static OpenStack.DiskKind DiskKindOf(ImageSpec image) => image.Pool == "vms" ? OpenStack.DiskKind.Server : OpenStack.DiskKind.Volume;
}
