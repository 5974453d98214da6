using RbdBackup.Core.Model;
using RbdBackup.OpenStack;
using RbdBackup.Tenants;
using RbdBackup.Worker;

namespace RbdBackup.Tests.Tenants;

/// <summary>What follows from a look: asked once, remembered, and nothing where nothing is new.</summary>
public sealed class TenantPlannerTests
{
    private static readonly Subject Server = new(SubjectKind.Server, Cloud.ServerId);
    private static readonly ImageSpec Root = new("vms", $"{Cloud.ServerId}_disk");
    private static readonly ImageSpec Data = new("volumes", $"volume-{Cloud.VolumeId}");

    [Fact]
    public void A_policy_asks_for_a_first_backup_of_each_disk_and_a_second_look_finds_nothing_new()
    {
        var world = new World();
        var plan = world.Look(Seen("daily", null, "daily", "daily"));
        Assert.Equal([(Root, "daily"), (Data, "daily")], plan.Asks.Select(a => (a.Disk.Image, a.Policy!)));
        Assert.Equal([$"vms/{Cloud.ServerId}_disk", $"volumes/volume-{Cloud.VolumeId}"], world.Record!.Covered);
        Assert.False(world.Look(Seen("daily", null, "daily", "daily")).IsNews);
    }

    [Fact]
    public void A_look_that_was_not_written_down_asks_again_by_the_same_keys()
    {
        var world = new World();
        var seen = Seen("daily", "1", "daily", "daily");
        var first = TenantPlanner.Plan(seen, world.Record, world.Members);
        Assert.Equal(first.Asks.Select(a => a.Key), world.Look(seen).Asks.Select(a => a.Key));
        Assert.Equal([Root, Data], first.Asks.Select(a => a.Disk.Image));
    }

    [Fact]
    public void What_was_unset_and_is_set_again_is_asked_for_by_another_key()
    {
        var world = new World();
        var first = world.Look(Seen("daily", null, "daily", null)).Asks.Single();
        Assert.Empty(world.Look(Seen(null, null, null, null)).Asks);
        Assert.Null(world.Members[Root].Policy);
        Assert.Null(world.Record);
        Assert.NotEqual(first.Key, world.Look(Seen("daily", null, "daily", null)).Asks.Single().Key);
    }

    [Fact]
    public void Every_new_value_of_backup_now_asks_once_and_an_old_one_that_comes_back_is_new()
    {
        var world = new World();
        var keys = new[] { "1", "1", "2", "1", null, "1" }.SelectMany(v => world.Look(Seen(null, v, null, null)).Asks.Where(a => a.Disk.Image == Root)).Select(a => a.Key).ToList();
        Assert.Equal((4, 4), (keys.Count, keys.Distinct().Count()));
        Assert.All(world.Members.Values, m => Assert.Null(m.Policy));
        Assert.Equal(Cloud.ServerId, world.Members[Data].Server);
    }

    [Fact]
    public void Backup_now_takes_what_is_covered_with_its_policy_and_leaves_out_what_is_left_out()
    {
        var disks = new[] { Disk(Root, "daily"), Disk(Data, null) with { Fate = Fate.LeftOut } };
        var world = new World();
        var first = world.Look(new Survey(Server, "a", "daily", "1", disks)).Asks.Single();
        var second = world.Look(new Survey(Server, "a", "daily", "2", disks)).Asks.Single();
        Assert.Equal(((Root, "daily"), (Root, "daily")), ((first.Disk.Image, first.Policy), (second.Disk.Image, second.Policy)));
        Assert.NotEqual(first.Key, second.Key);
        var volume = new Survey(new Subject(SubjectKind.Volume, Cloud.VolumeId), "a", "none", "1", [disks[1]]) { Volumes = [Cloud.VolumeId] };
        Assert.Equal(Data, new World().Look(volume).Asks.Single().Disk.Image);
        Assert.Empty(new World().Look(volume with { Project = "b" }).Asks);
    }

    [Fact]
    public void A_volume_that_is_detached_or_deleted_is_dropped_and_nothing_else()
    {
        var world = new World();
        world.Look(Seen("daily", null, "daily", "daily"));
        world.Look(new Survey(Server, "a", "daily", null, [Disk(Root, "daily")]) { Volumes = [Cloud.VolumeId] });
        Assert.Equal(("daily", null), (world.Members[Root].Policy, world.Members[Data].Policy));
        Assert.Equal([$"vms/{Cloud.ServerId}_disk"], world.Record!.Covered);
    }

    [Fact]
    public void A_server_that_is_gone_drops_its_disks_and_its_record()
    {
        var world = new World();
        world.Look(Seen("daily", "1", "daily", null));
        world.Record = world.Record! with { Status = "ok" };
        world.Look(new Survey(Server, null, null, null, []));
        Assert.Equal((null, null), (world.Members[Root].Policy, world.Record));
    }

    [Fact]
    public void What_nobody_knows_stays_as_it_is()
    {
        var world = new World();
        world.Look(Seen("daily", null, "daily", "daily"));
        world.Look(new Survey(Server, "a", "daily", null, [Disk(Root, "daily"), Disk(Data, null) with { Fate = Fate.Unknown }]) { Volumes = [Cloud.VolumeId] });
        Assert.Equal("daily", world.Members[Data].Policy);
    }

    [Fact]
    public void An_image_with_another_name_after_a_retype_takes_the_place_of_the_old_one()
    {
        var world = new World();
        world.Look(Seen("daily", null, "daily", "daily"));
        var renamed = new ImageSpec("volumes", $"volume-{Cloud.NameId}");
        var plan = world.Look(new Survey(Server, "a", "daily", null, [Disk(Root, "daily"), Disk(renamed, "daily")]) { Volumes = [Cloud.VolumeId] });
        Assert.Equal(renamed, plan.Asks.Single().Disk.Image);
        Assert.Null(world.Members[Data].Policy);
    }

    [Fact]
    public void A_project_that_may_not_ask_is_told_so_and_nothing_of_it_stays_protected()
    {
        var world = new World();
        world.Look(Seen("daily", null, "daily", "daily"));
        var plan = world.Look(Seen("daily", "1", "daily", "daily").RefusedFor("the project may not ask for backups"));
        Assert.Empty(plan.Asks);
        Assert.All(world.Members.Values, m => Assert.Null(m.Policy));
        Assert.Equal("the project may not ask for backups", world.Record!.Problem);
        var volume = new Survey(new Subject(SubjectKind.Volume, Cloud.VolumeId), "a", "none", "1", [Disk(Data, null) with { Fate = Fate.LeftOut }]);
        Assert.Empty(new World().Look(volume.RefusedFor("no")).Asks);
    }

    [Fact]
    public void What_is_skipped_is_listed_with_its_reason()
    {
        var world = new World();
        var disks = new[] { Disk(Root, "daily"), Disk(Root with { Name = $"{Cloud.ServerId}_disk.swap" }, null).Without("swap: Nova makes it anew") };
        world.Look(new Survey(Server, "a", "daily", null, disks));
        Assert.Equal(new Skipped($"vms/{Cloud.ServerId}_disk.swap", "swap: Nova makes it anew"), Assert.Single(world.Record!.Skipped));
    }

    [Theory]
    [InlineData("daily", null, 1)]
    [InlineData(null, "1", 1)]
    [InlineData(null, null, 0)]
    public void A_disk_that_is_not_found_is_told_of_to_whoever_asks_and_asks_for_nothing(string? policy, string? now, int told)
    {
        var world = new World();
        var plan = world.Look(new Survey(Server, "a", policy, now, [Disk(Root, null).NotFound("no image of it in pool vms")]));
        Assert.Empty(plan.Asks);
        Assert.Equal(told, world.Record?.Skipped.Count(s => s.Detail == "no image of it in pool vms") ?? 0);
    }

    private static Survey Seen(string? policy, string? now, string? root, string? data) =>
        new(Server, "a", policy, now, [Disk(Root, root), Disk(Data, data)]) { Volumes = [Cloud.VolumeId] };

    private static Disk Disk(ImageSpec image, string? policy) =>
        new(image.Pool == "vms" ? DiskKind.Server : DiskKind.Volume, image.Pool == "vms" ? Cloud.ServerId : Cloud.VolumeId, Cloud.ServerId, "a", image,
            policy is null ? Fate.Unasked : Fate.Protected)
        { Policy = policy };

    /// <summary>What is remembered, changed by plans as the runner does it.</summary>
    private sealed class World
    {
        public Asking? Record { get; set; }

        public Dictionary<ImageSpec, Member> Members { get; } = [];

        public TenantPlan Look(Survey seen)
        {
            var plan = TenantPlanner.Plan(seen, Record, Members);
            foreach (var member in plan.Members)
            {
                Members[member.Image] = member;
            }

            Record = plan.Record;
            return plan;
        }
    }
}
