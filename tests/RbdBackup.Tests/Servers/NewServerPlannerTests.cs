using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Servers;

namespace RbdBackup.Tests.Servers;

public sealed class NewServerPlannerTests
{
    private const long GiB = 1L << 30;
    private const string Id = "1e9c0f6a-5b5e-4a2e-9a40-0f5a5f6c3f10", Network = "0c1d7c6e-39a4-4c1e-8f0e-0d7f3e1d2a11";
    private static readonly Flavor Small = new("f1", "small", 1, 512, 1), Large = new("f2", "large", 1, 512, 20), Disks = new("f3", "disks", 1, 512, 1, Ephemeral: 3);

    [Fact]
    public void A_root_disk_of_Novas_is_exchanged_in_a_server_of_the_same_image()
    {
        var plan = Plan(Point(Root(), Volume("b", "/dev/vdb", 2 * GiB), Volume("c", "/dev/vdc", 3 * GiB)));
        Assert.Equal(("image", "f1", false), (plan.ImageId, plan.FlavorId, plan.IsDirect));
        Assert.Equal(["_disk"], plan.Local.Select(l => l.Suffix));
        Assert.Equal([("b-name", 2L, false), ("new/dev/vdc", 3L, false)], plan.Volumes.Select(v => (v.Name, v.Size, v.IsRoot)));
    }

    [Fact]
    public void Where_the_image_is_gone_it_boots_from_a_volume()
    {
        var plan = Plan(Point(Root(GiB + 1), Volume("b", "/dev/vdb", GiB)), imageIsThere: false);
        Assert.Equal((null, true), (plan.ImageId, plan.IsDirect));
        Assert.Equal([(true, 2L), (false, 1L)], plan.Volumes.Select(v => (v.IsRoot, v.Size)));

        // Nova makes the same machine of it as of the image.
        Assert.Equal([KeyValuePair.Create("hw_disk_bus", "scsi")], plan.Volumes[0].ImageMetadata);
        Assert.Empty(plan.Volumes[1].ImageMetadata);
    }

    [Fact]
    public void One_that_booted_from_a_volume_does_so_again()
    {
        var plan = Plan(Point(Volume("b", "/dev/vda", GiB, boot: 0)));
        Assert.Equal((null, true, true), (plan.ImageId, plan.IsDirect, plan.Volumes.Single().IsRoot));
    }

    [Theory]
    [InlineData(".eph0", ".eph1")]
    [InlineData(".local", ".eph0")]
    public void Ephemeral_disks_are_made_of_their_sizes_and_exchanged_too(string first, string second)
    {
        var point = Point(Root(), Ephemeral(first, GiB), Ephemeral(second, GiB + 1), Volume("b", "/dev/vdb", GiB));
        var plan = Plan(point, flavor: "disks");
        Assert.Equal(["_disk", "_disk.eph0", "_disk.eph1"], plan.Local.Select(l => l.Suffix));
        Assert.Equal(point.Disks.Take(3), plan.Local.Select(l => l.Disk));
        Assert.Equal([1, 2], plan.Ephemerals);

        var gone = Plan(point, imageIsThere: false, flavor: "disks");
        Assert.Equal(["_disk.eph0", "_disk.eph1"], gone.Local.Select(l => l.Suffix));
        Assert.Equal((false, true, false), (gone.IsDirect, gone.Volumes[0].IsRoot, gone.Volumes[1].IsRoot));
    }

    [Fact]
    public void A_flavor_with_less_than_the_ephemeral_disks_is_refused()
    {
        var e = Assert.Throws<RbdBackupException>(() => Plan(Point(Root(), Ephemeral(".eph0", 2 * GiB), Ephemeral(".eph1", 2 * GiB)), flavor: "disks"));
        Assert.Equal((ErrorKind.Usage, true), (e.Kind, e.Message.Contains("4 GiB", StringComparison.Ordinal)));
    }

    [Fact]
    public void What_the_old_one_asked_for_and_was_told_the_new_one_has_not()
    {
        var kept = new Dictionary<string, string> { ["backup_policy"] = "daily", ["backup_now"] = "1", ["backup_status"] = "ok", ["backup_restore"] = "x", ["backup_restore_status"] = "y", ["now"] = "z" };
        Assert.Equal(["backup_policy", "now"], NewServerPlanner.MetadataOf(kept, "backup_").Keys.Order());
        Assert.Empty(NewServerPlanner.MetadataOf(null, "backup_"));
    }

    [Theory]
    [InlineData(null, "f1")]
    [InlineData("large", "f2")]
    [InlineData("f2", "f2")]
    public void The_flavor_is_the_one_that_was_named_or_the_kept_one(string? named, string expected) => Assert.Equal(expected, Plan(Point(Root()), flavor: named).FlavorId);

    [Theory]
    [InlineData("gone", 1, null)]
    [InlineData(null, 2, null)]
    [InlineData(null, 1, "no-id")]
    public void What_is_not_there_or_does_not_fit_is_refused_before_anything_is_made(string? flavor, int rootGiB, string? network) =>
        Assert.Equal(ErrorKind.Usage, Assert.Throws<RbdBackupException>(() => Plan(Point(Root(rootGiB * GiB)), flavor: flavor, network: network)).Kind);

    [Fact]
    public void Without_a_disk_to_boot_from_there_is_no_server() =>
        Assert.Equal(ErrorKind.Refused, Assert.Throws<RbdBackupException>(() => Plan(Point(Volume("b", "/dev/vdb", GiB)))).Kind);

    [Fact]
    public void The_kept_networks_count_where_none_is_named()
    {
        Assert.Equal([Network], Plan(Point(Root())).Networks.Select(n => n.NetworkId));
        var other = Guid.NewGuid().ToString();
        Assert.Equal([other], Plan(Point(Root()), network: other).Networks.Select(n => n.NetworkId));
        Assert.All(Plan(Point(Root())).Networks, n => Assert.Equal((null, null), (n.PortId, n.FixedIp)));
    }

    private static ServerPointDisk Ephemeral(string suffix, long size) => Disk(DiskRole.Ephemeral, null, null, $"vms/{Id}_disk{suffix}", size);

    private static NewServerPlan Plan(ServerPoint point, bool imageIsThere = true, string? flavor = null, string? network = null) =>
        NewServerPlanner.Plan(point, new NewServerAsk("new", flavor, network is null ? [] : [network], null), [Small, Large, Disks], imageIsThere);

    private static ServerPointDisk Root(long size = GiB) => Disk(DiskRole.Root, null, "/dev/vda", $"vms/{Id}_disk", size, 0);

    private static ServerPointDisk Volume(string id, string device, long size, int? boot = null) => Disk(DiskRole.Volume, id, device, $"volumes/volume-{id}", size, boot);

    private static ServerPointDisk Disk(DiskRole role, string? volume, string? device, string image, long size, int? boot = null) =>
        new(role, volume, device, boot, PointId.New(DateTimeOffset.UtcNow), "disk", image, size);

    private static ServerPoint Point(params ServerPointDisk[] disks) => new()
    {
        Format = 1,
        RequiredFeatures = [],
        Id = PointId.New(DateTimeOffset.UtcNow),
        Attempt = AttemptId.New(),
        Server = Id,
        Project = "p",
        Name = "old",
        Moment = DateTimeOffset.UtcNow,
        Consistency = Consistency.Crash,
        Asked = null,
        WhyNot = null,
        SpreadMs = 1,
        HeldMs = null,
        Disks = disks,
        Skipped = [],
        Description = new ServerDescription(
            new FlavorDescription("small", 1, 512, 1, 0, 0, new Dictionary<string, string>()), "image", "an image",
            [new VolumeDescription("b", "b-name", null, 1, null, null, false, "/dev/vdb", null, false, null, new Dictionary<string, string>(), new Dictionary<string, string>())],
            [new PortDescription(Network, "port", null, ["10.0.0.7"])], new Dictionary<string, string>(), null, [], null, false, null, [], null, "/dev/vda", "ACTIVE", null, new Dictionary<string, string> { ["hw_disk_bus"] = "scsi" }),
        AskedBy = new AskedBy(AskedSource.Cli),
        Policy = null,
        Tool = "test",
    };
}
