using RbdBackup.Core.Model;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Servers;

namespace RbdBackup.Tests.Servers;

public sealed class ServerDiskPlannerTests
{
    private const string Id = "1e9c0f6a-5b5e-4a2e-9a40-0f5a5f6c3f10";

    [Fact]
    public void What_Nova_makes_anew_is_left_out_and_said()
    {
        var (disks, skipped) = Plan(new ServerSight(Server(), [Nova(""), Nova(".swap"), Nova(".config"), Nova(".rescue"), Nova(".eph0"), Nova(".eph1")], []));
        Assert.Equal([(DiskRole.Root, "_disk"), (DiskRole.Ephemeral, "_disk.eph0"), (DiskRole.Ephemeral, "_disk.eph1")], disks.Select(d => (d.Role, d.Image.Name[Id.Length..])));
        Assert.Equal((0, "/dev/vda"), (disks[0].BootIndex, disks[0].Device));
        Assert.Equal(["_disk.swap", "_disk.config", "_disk.rescue"], skipped.Select(s => s.Image[$"vms/{Id}".Length..]));
    }

    [Fact]
    public void The_ephemeral_disk_of_old_releases_is_one()
    {
        Assert.Contains(".local", ServerDiskPlanner.Suffixes);
        var (disks, _) = Plan(new ServerSight(Server(), [Nova(""), Nova(".local")], []));
        Assert.Equal([DiskRole.Root, DiskRole.Ephemeral], disks.Select(d => d.Role));
    }

    [Fact]
    public void Volumes_come_in_the_order_of_their_devices()
    {
        var (disks, _) = Plan(new ServerSight(Server(), [Nova("")], [Volume("/dev/vdaa"), Volume("/dev/vdc"), Volume("/dev/vdb")]));
        Assert.Equal(["/dev/vda", "/dev/vdb", "/dev/vdc", "/dev/vdaa"], disks.Select(d => d.Device));
    }

    [Fact]
    public void A_server_that_boots_from_a_volume_has_that_one_first()
    {
        var (disks, _) = Plan(new ServerSight(Server(image: null), [], [Volume("/dev/vdb"), Volume("/dev/vda")]));
        Assert.Equal([(0, "/dev/vda"), (null, "/dev/vdb")], disks.Select(d => (d.BootIndex, d.Device!)));
    }

    [Fact]
    public void Encrypted_volumes_those_that_do_not_want_and_those_that_are_nowhere_are_left_out()
    {
        var (disks, skipped) = Plan(new ServerSight(
            Server(), [Nova("")],
            [Volume("/dev/vdb", encrypted: true), Volume("/dev/vdc", policy: "none"), Volume("/dev/vdd", found: false), Volume("/dev/vde", policy: "daily")]));
        Assert.Equal(["/dev/vda", "/dev/vde"], disks.Select(d => d.Device));
        Assert.Equal(3, skipped.Count);
        Assert.Contains("encrypted", skipped[0].Why, StringComparison.Ordinal);
        Assert.Contains("backup_policy=none", skipped[1].Why, StringComparison.Ordinal);
        Assert.StartsWith("volume ", skipped[2].Image, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Without_a_root_disk_there_is_no_point(bool hasVolume)
    {
        var sight = new ServerSight(Server(), [], hasVolume ? [Volume("/dev/vdb")] : []);
        Assert.Equal(ErrorKind.NotFound, Assert.Throws<RbdBackupException>(() => Plan(sight)).Kind);
    }

    private static (IReadOnlyList<ServerDisk> Disks, IReadOnlyList<SkippedDisk> Skipped) Plan(ServerSight sight) => ServerDiskPlanner.Plan(sight, "backup_policy");

    private static Server Server(string? image = "image") =>
        new() { Id = Id, Status = "ACTIVE", ProjectId = "p", Name = "a", ImageId = image, RootDevice = "/dev/vda" };

    private static ImageSpec Nova(string suffix) => new("vms", $"{Id}_disk{suffix}");

    private static VolumeSight Volume(string device, bool encrypted = false, string? policy = null, bool found = true)
    {
        var id = Guid.NewGuid().ToString();
        var metadata = policy is null ? new Dictionary<string, string>() : new() { ["backup_policy"] = policy };
        return new VolumeSight(
            new VolumeAttachment(id, Id, device), new Volume { Id = id, Status = "in-use", Size = 1, Metadata = metadata, Encrypted = encrypted }, found ? new ImageSpec("volumes", $"volume-{id}") : null);
    }
}
