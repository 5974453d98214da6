using System.Text.Json.Nodes;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>Our base snapshots never change what Nova does. One after the other: two guests at a time are enough for the machine.</summary>
[Trait("Needs", "OpenStack"), Collection("Release")]
public sealed class ReleaseTests(Mini mini) : IClassFixture<Mini>
{
    [Fact]
    public async Task A_protected_server_is_rebuilt_shelved_and_deleted_as_if_we_were_not_there()
    {
        await using var world = await ReleaseWorld.StartAsync(mini);
        var server = await world.Tenant.BootAsync(flavor: "mini.disks", name: "release-1");

        var disks = await world.ProtectAsync(server, disks: 2);
        await RebuildAsync(world, server);
        await world.AssertNewAsync(disks);

        disks = await world.ProtectAsync(server, disks: 2);
        await ShelveAsync(world, server);
        await UnshelveAsync(world, server);
        await world.AssertNewAsync(disks);

        // The worker comes when Nova has met our snapshots already.
        disks = await world.ProtectAsync(server, disks: 2);
        await world.StopWorkerAsync();
        await world.Tenant.Cloud.Compute.DeleteServerAsync(server.Id, default);
        var gone = world.GoneWithinAMinuteAsync(server);
        await world.NovaHasTriedAsync(server, disks.Keys.First());
        Assert.All(disks.Keys, disk => Assert.Contains(world.FindAsync(disk).Result!.Snapshots, world.IsOurs));
        await world.StartWorkerAsync();
        await gone;
    }

    [Fact]
    public async Task A_protected_server_is_resized_reverted_and_confirmed_and_a_late_worker_still_makes_a_rebuild_and_shelving_right()
    {
        await using var world = await ReleaseWorld.StartAsync(mini);
        var server = await world.Tenant.BootAsync(name: "release-2");
        var large = (await world.Tenant.Cloud.Compute.ListFlavorsAsync(default).SingleAsync(f => f.Name == "mini.large")).Id;
        var disk = new ImageSpec("vms", $"{server.Id}_disk");
        var before = (await world.ProtectAsync(server, disks: 1))[disk];
        var size = (await world.FindAsync(disk))!.Size;

        await ResizeAsync(world, server, large);
        Assert.DoesNotContain((await world.FindAsync(disk))!.Snapshots, world.IsOurs);

        // Nor does one come back while Nova is at work.
        var refused = await world.Sandbox.RunAsync("backup", "server", server.Id);
        Assert.Equal((int)ErrorKind.Busy, refused.ExitCode);
        Assert.Contains("resizing", refused.Error);
        Assert.DoesNotContain((await world.FindAsync(disk))!.Snapshots, world.IsOurs);
        await world.Actions.ServerAsync(server.Id, "revertResize");
        await world.Tenant.UntilAsync(server.Id, "ACTIVE");
        var reverted = (await world.FindAsync(disk))!;
        Assert.Equal((before, size, 0), (reverted.ImageId, reverted.Size, reverted.Snapshots.Count));

        // When Nova has done its work, all goes on, with a full. To resize, Nova need not remove the disk: a worker that is late takes our snapshots when all is reverted, or while it waits to
        // be confirmed.
        world.Sandbox.Ahead = TimeSpan.FromMinutes(5);
        await IsLateForARevertAsync(world, server, disk, large);
        world.Sandbox.Ahead = TimeSpan.FromMinutes(10);
        await world.BackupAsync(disk, "full");
        await world.Worker.StallAsync();
        await ResizeAsync(world, server, large);
        Assert.Contains((await world.FindAsync(disk))!.Snapshots, world.IsOurs);
        await world.Worker.WakeAsync();
        await Tenant.UntilAsync("our snapshots are gone", async () => !(await world.FindAsync(disk))!.Snapshots.Any(world.IsOurs));
        await world.Actions.ServerAsync(server.Id, "confirmResize");
        await world.Tenant.UntilAsync(server.Id, "ACTIVE");
        Assert.Empty((await world.FindAsync(disk))!.Snapshots);
        world.Sandbox.Ahead = TimeSpan.FromMinutes(15);
        await world.BackupAsync(disk, "full");
        Assert.Equal((before, 2L << 30), ((await world.FindAsync(disk))!.ImageId, (await world.FindAsync(disk))!.Size));

        await world.StopWorkerAsync();
        await world.Actions.ServerAsync(server.Id, "rebuild", await ImageOfAsync(world, server));
        await world.NovaHasTriedAsync(server, disk);
        Assert.Equal(before, (await world.FindAsync(disk))!.ImageId);
        await world.StartWorkerAsync();
        await world.Tenant.UntilAsync(server.Id, "ACTIVE");
        await world.AssertNewAsync(new Dictionary<ImageSpec, string> { [disk] = before });

        // The same with one that stands still.
        var disks = await world.ProtectAsync(server, disks: 1);
        await world.Worker.StallAsync();
        await world.Actions.ServerAsync(server.Id, "shelve");
        await world.NovaHasTriedAsync(server, disk);
        Assert.Equal(disks[disk], (await world.FindAsync(disk))!.ImageId);
        await world.Worker.WakeAsync();
        await IsShelvedAsync(world, server);
        await UnshelveAsync(world, server);
        await world.AssertNewAsync(disks);
        await world.ProtectAsync(server, disks: 1);
        await world.Tenant.Cloud.Compute.DeleteServerAsync(server.Id, default);
        await world.GoneWithinAMinuteAsync(server);
    }

    /// <summary>The disk is what it was, our snapshot on it or not, while the worker stands still and after it has read what it missed.</summary>
    private static async Task IsLateForARevertAsync(ReleaseWorld world, Server server, ImageSpec disk, string large)
    {
        await world.BackupAsync(disk, "full");
        var before = (await world.FindAsync(disk))!;
        await world.Worker.StallAsync();
        await ResizeAsync(world, server, large);
        Assert.Equal(2L << 30, (await world.FindAsync(disk))!.Size);
        await world.Actions.ServerAsync(server.Id, "revertResize");
        await world.Tenant.UntilAsync(server.Id, "ACTIVE");
        var reverted = (await world.FindAsync(disk))!;
        Assert.Equal((before.ImageId, before.Size), (reverted.ImageId, reverted.Size));
        Assert.Equal(before.Snapshots.Where(world.IsOurs).Select(s => s.Id), reverted.Snapshots.Select(s => s.Id));
        await world.Worker.WakeAsync();
        await Tenant.UntilAsync("our snapshots are gone", async () => (await world.FindAsync(disk))!.Snapshots.Count == 0);
    }

    internal static async Task<JsonObject> ImageOfAsync(ReleaseWorld world, Server server) =>
        new() { ["imageRef"] = (await world.Tenant.Cloud.Compute.GetServerAsync(server.Id, default)).ImageId };

    private static async Task RebuildAsync(ReleaseWorld world, Server server)
    {
        await world.Actions.ServerAsync(server.Id, "rebuild", await ImageOfAsync(world, server));
        await world.Tenant.UntilAsync(server.Id, "ACTIVE");
    }

    private static async Task ShelveAsync(ReleaseWorld world, Server server)
    {
        await world.Actions.ServerAsync(server.Id, "shelve");
        await IsShelvedAsync(world, server);
    }

    private static async Task IsShelvedAsync(ReleaseWorld world, Server server)
    {
        await world.Tenant.UntilAsync(server.Id, "SHELVED_OFFLOADED");
        Assert.Empty(await world.DisksAsync(server));
    }

    internal static async Task UnshelveAsync(ReleaseWorld world, Server server)
    {
        await world.Actions.ServerAsync(server.Id, "unshelve");
        await world.Tenant.UntilAsync(server.Id, "ACTIVE");
    }

    internal static async Task ResizeAsync(ReleaseWorld world, Server server, string flavor)
    {
        await world.Actions.ServerAsync(server.Id, "resize", new() { ["flavorRef"] = flavor });
        await world.Tenant.UntilAsync(server.Id, "VERIFY_RESIZE");
    }
}
