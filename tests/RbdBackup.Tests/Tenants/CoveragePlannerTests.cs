using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Servers;
using RbdBackup.Tenants;

namespace RbdBackup.Tests.Tenants;

/// <summary>Which images are protected, by which policy, and which are not and why.</summary>
public sealed class CoveragePlannerTests
{
    [Theory]
    [InlineData("_disk", true)]
    [InlineData("_disk.eph0", true)]
    [InlineData("_disk.eph11", true)]
    [InlineData("_disk.local", true)]
    [InlineData("_disk.swap", false)]
    [InlineData("_disk.config", false)]
    [InlineData("_disk.rescue", false)]
    [InlineData("_disk.config.rescue", false)]
    [InlineData("_disk_backup", false)]
    public void Novas_disks_are_protected_by_the_servers_policy_and_what_Nova_makes_anew_is_skipped(string suffix, bool isProtected)
    {
        var disk = Assert.Single(Cloud.Planner.OfServer(Cloud.Server("daily"), [new ImageSpec("vms", Cloud.ServerId + suffix)]));
        Assert.Equal($"vms/{Cloud.ServerId}{suffix}", disk.Image.ToString());
        Assert.Equal(isProtected ? ("daily", Fate.Protected) : (null, Fate.Impossible), (disk.Policy, disk.Fate));
        Assert.Equal(isProtected, disk.Why is null);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("none")]
    [InlineData("stopped")]
    [InlineData("dayly")]
    [InlineData("Daily")]
    [InlineData("")]
    public void Without_an_active_policy_nothing_is_protected(string? policy)
    {
        Assert.Equal(Fate.Unasked, Assert.Single(Cloud.Planner.OfServer(Cloud.Server(policy), [new ImageSpec("vms", $"{Cloud.ServerId}_disk")])).Fate);
        Assert.NotEqual(Fate.Protected, Cloud.Planner.OfVolume(Cloud.Volume(policy), [])!.Fate);
        Assert.NotEqual(Fate.Protected, Cloud.Planner.OfVolume(Cloud.Volume(), [Cloud.Server(policy)])!.Fate);
    }

    [Fact]
    public void A_server_that_boots_from_a_volume_has_no_disk_of_its_own() => Assert.Empty(Cloud.Planner.OfServer(Cloud.Server("daily"), []));

    [Theory]
    [InlineData("ACTIVE", null, "_disk.eph0", true)]
    [InlineData("SHUTOFF", null, null, true)]
    [InlineData("PAUSED", null, null, true)]
    [InlineData("ACTIVE", null, "_disk", false)]
    [InlineData("BUILD", null, null, false)]
    [InlineData("BUILD", "spawning", null, false)]
    [InlineData("ACTIVE", "rebuilding", null, false)]
    [InlineData("REBUILD", "rebuild_spawning", null, false)]
    [InlineData("ERROR", null, null, false)]
    [InlineData("SHELVED_OFFLOADED", null, null, false)]
    [InlineData("SOFT_DELETED", null, null, false)]
    [InlineData("UNKNOWN", null, null, false)]
    public void A_root_disk_is_missed_where_Nova_has_made_it_and_is_not_at_work_on_it(string status, string? task, string? has, bool isMissed)
    {
        var server = Cloud.Server("daily", status: status) with { ImageId = "i", TaskState = task };
        ImageSpec[] images = has is null ? [] : [new ImageSpec("ssd:vms", Cloud.ServerId + has)];
        var place = new ServerPlace(["ssd:vms"], "compute host c1 is named for that cluster by [ceph:ssd] hosts (c*)");
        var disk = CoveragePlanner.MissingOf(server, images, place);
        Assert.Equal(isMissed, disk is not null);
        Assert.Null(CoveragePlanner.MissingOf(server with { ImageId = null }, images, place));
        if (disk is not null)
        {
            Assert.Equal((Fate.Impossible, $"ssd:vms/{Cloud.ServerId}_disk"), (disk.Fate, disk.Image.ToString()));
            Assert.Equal($"no image {Cloud.ServerId}_disk in pool ssd:vms, and compute host c1 is named for that cluster by [ceph:ssd] hosts (c*)", disk.Detail);
            Assert.DoesNotContain(disk.Why!.Split(' '), w => w.Contains("vms", StringComparison.Ordinal) || w.Contains("c1", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Where_no_host_is_named_a_missed_disk_was_looked_for_in_each_pool() => Assert.Equal(
        $"no image {Cloud.ServerId}_disk in pool vms or ssd:vms",
        CoveragePlanner.MissingOf(Cloud.Server() with { ImageId = "i" }, [], new ServerPlace(["vms", "ssd:vms"], null))!.Detail);

    [Theory]
    [InlineData(null, "daily", "daily")]
    [InlineData("weekly", "daily", "weekly")]
    [InlineData("weekly", null, "weekly")]
    [InlineData("none", "daily", null)]
    [InlineData("dayly", "daily", null)]
    [InlineData("stopped", "daily", null)]
    [InlineData(null, null, null)]
    public void A_volumes_own_policy_comes_before_its_servers(string? own, string? servers, string? expected)
    {
        var disk = Cloud.Planner.OfVolume(Cloud.Volume(own), [Cloud.Server(servers)])!;
        Assert.Equal((expected, expected is not null), (disk.Policy, disk.Fate == Fate.Protected));
    }

    [Fact]
    public void A_servers_policy_counts_only_for_volumes_that_Nova_says_it_has_and_of_its_own_project()
    {
        Assert.Null(Cloud.Planner.OfVolume(Cloud.Volume(), [Cloud.Server("daily", hasVolume: false)])!.Policy);
        Assert.Null(Cloud.Planner.OfVolume(Cloud.Volume(project: "b"), [Cloud.Server("daily")])!.Policy);
        Assert.Equal("daily", Cloud.Planner.OfVolume(Cloud.Volume("daily", project: "b"), [Cloud.Server("weekly")])!.Policy);
    }

    [Fact]
    public void Of_several_servers_the_first_by_id_that_asks_counts()
    {
        Server[] both = [Cloud.Server("weekly", Cloud.OtherServerId), Cloud.Server("daily")];
        Assert.Equal("daily", Cloud.Planner.OfVolume(Cloud.Volume(), both)!.Policy);
        Assert.Equal("daily", Cloud.Planner.OfVolume(Cloud.Volume(), [.. both.Reverse()])!.Policy);
        Assert.Equal(("weekly", Cloud.OtherServerId), Cloud.Planner.OfVolume(Cloud.Volume(), [both[0], Cloud.Server()]) is { } d ? (d.Policy, d.Server) : default);
    }

    [Fact]
    public void Nobody_knows_of_a_volume_whose_servers_cell_does_not_answer_unless_it_says_it_itself()
    {
        var unknown = new Server { Id = Cloud.ServerId, Status = "UNKNOWN", ProjectId = "a" };
        Assert.Equal(Fate.Unknown, Cloud.Planner.OfVolume(Cloud.Volume(), [unknown])!.Fate);
        Assert.Equal("daily", Cloud.Planner.OfVolume(Cloud.Volume("daily"), [unknown])!.Policy);
        Assert.Equal(Fate.LeftOut, Cloud.Planner.OfVolume(Cloud.Volume("none"), [unknown])!.Fate);
    }

    [Theory]
    [InlineData("daily", null)]
    [InlineData(null, "daily")]
    [InlineData("none", "daily")]
    [InlineData(null, null)]
    public void An_encrypted_volume_is_never_protected_and_says_why(string? own, string? servers)
    {
        var disk = Cloud.Planner.OfVolume(Cloud.Volume(own, encrypted: true), [Cloud.Server(servers)])!;
        Assert.Equal((Fate.Impossible, null), (disk.Fate, disk.Policy));
        Assert.Contains("encrypted", disk.Why);
    }

    [Theory]
    [InlineData("creating", "host@rbd#rbd")]
    [InlineData("downloading", "host@rbd#rbd")]
    [InlineData("deleting", "host@rbd#rbd")]
    [InlineData("available", null)]
    public void A_volume_that_is_not_there_yet_or_no_longer_is_no_disk(string status, string? host) =>
        Assert.Null(Cloud.Planner.OfVolume(Cloud.Volume("daily", status: status, host: host), []));

    [Theory]
    [InlineData("host@rbd#rbd", null, "volumes", Cloud.VolumeId)]
    [InlineData("host@rbd#rbd", Cloud.NameId, "volumes", Cloud.NameId)]
    [InlineData("host@ssd#whatever", null, "fast", Cloud.VolumeId)]
    [InlineData("host@b#ssd", null, "fast", Cloud.VolumeId)]
    public void A_volumes_image_is_named_by_its_name_id_in_its_backends_pool(string host, string? nameId, string pool, string name) =>
        Assert.Equal($"{pool}/volume-{name}", Cloud.Planner.OfVolume(Cloud.Volume("daily", nameId: nameId, host: host), [])!.Image.ToString());

    [Theory]
    [InlineData("../../x")]
    [InlineData("x@snap")]
    public void A_name_id_that_is_none_names_no_image(string nameId) => Assert.Null(Cloud.Planner.OfVolume(Cloud.Volume("daily", nameId: nameId), []));

    [Fact]
    public void The_far_end_of_a_migration_is_no_volume() =>
        Assert.Null(Cloud.Planner.OfVolume(Cloud.Volume("daily") with { MigrationStatus = $"target:{Cloud.NameId}" }, []));

    [Theory]
    [InlineData("host@rbd#rbd", "volumes")]
    [InlineData("h1@rbd#rbd", "one")]
    [InlineData("h2@rbd#x", "two")]
    [InlineData("h3@rbd#x", "two")]
    [InlineData("h3@y#x", "three")]
    [InlineData("h4@y#x", "four")]
    [InlineData("nonsense", "volumes")]
    public void The_most_exact_name_of_a_backend_counts(string host, string pool) =>
        Assert.Equal(pool, new DiskPools(["vms"], ["volumes"], ["h1@rbd#rbd=one", "rbd#x=two", "x=three", "h4@y=four"]).OfVolume(host));

    [Fact]
    public void An_unknown_policy_is_an_error_with_the_known_names_and_nothing_of_a_tenants_text_goes_on_as_it_is()
    {
        Assert.Equal("unknown policy 'dayly'; known: daily, none, stopped, weekly", Cloud.Planner.ChoiceOf(Cloud.Server("dayly").Metadata).Problem);
        var hostile = Cloud.Planner.ChoiceOf(Cloud.Server("x\n2026 ERROR 'ü\u202e" + new string('y', 300)).Metadata).Problem!;
        Assert.StartsWith("unknown policy 'x?2026 ERROR ???yyy", hostile);
        Assert.True(hostile.Length < 120);
        Assert.Null(Cloud.Planner.ChoiceOf(Cloud.Server("none").Metadata).Problem);
        Assert.Null(Cloud.Planner.ChoiceOf(null).Problem);
    }
}
