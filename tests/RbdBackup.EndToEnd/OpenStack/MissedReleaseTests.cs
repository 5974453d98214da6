using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Worker;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>What happens where the worker is dead for longer than Nova tries, and the messages are lost.</summary>
[Trait("Needs", "OpenStack"), Collection("Release")]
public sealed class MissedReleaseTests(Mini mini) : IClassFixture<Mini>
{
    [Fact]
    public async Task A_sweep_finds_the_orphan_of_a_deleted_server_and_the_old_disk_of_a_rebuilt_one_and_all_else_goes_on()
    {
        await using var world = await ReleaseWorld.StartAsync(mini, "sweep.interval=1s");
        var deleted = await world.Tenant.BootAsync(name: "release-3");
        var rebuilt = await world.Tenant.BootAsync(name: "release-4");
        await new Guest(deleted.Id).UpAsync();
        await new Guest(deleted.Id).RunAsync("echo before >/mnt/vda/mark; sync");
        var orphaned = await world.ProtectAsync(deleted, disks: 1);
        var before = await world.ProtectAsync(rebuilt, disks: 1);
        var (orphan, old) = (new ImageSpec("vms", $"{deleted.Id}_disk"), new ImageSpec("vms", $"{rebuilt.Id}_disk"));
        await world.LeaveAsync(WorkerState.Dead);
        await world.Actions.ServerAsync(rebuilt.Id, "rebuild", await ReleaseTests.ImageOfAsync(world, rebuilt));
        await IsShelvedAndResizedAsync(world, deleted, orphaned[orphan]);
        await world.Tenant.Cloud.Compute.DeleteServerAsync(deleted.Id, default);
        await Tenant.UntilAsync("Nova gave up removing the disk", () => Tenant.IsGoneAsync(() => world.Tenant.Cloud.Compute.GetServerAsync(deleted.Id, default)));
        await world.Tenant.UntilAsync(rebuilt.Id, "ACTIVE");
        Assert.Equal(before[old], (await world.FindAsync(old))!.ImageId);

        // By hand: first what would happen, then our snapshots go, and once the grace is over, the disk.
        Assert.Equal("released", ActionOn(orphan, await SweepAsync(world, "--dry-run")));
        Assert.Contains((await world.FindAsync(orphan))!.Snapshots, world.IsOurs);
        var swept = await SweepAsync(world);
        Assert.Equal("released", ActionOn(orphan, swept));
        Assert.Contains(old.ToString(), OldDisks(swept));
        var left = (await world.FindAsync(orphan))!;
        Assert.Empty(left.Snapshots);
        Assert.Null(ActionOn(orphan, await SweepAsync(world)));
        world.Sandbox.Ahead = TimeSpan.FromMinutes(61);
        Assert.Equal("trashed", ActionOn(orphan, await SweepAsync(world)));
        Assert.Null(await world.FindAsync(orphan));
        var trash = Assert.Single(await mini.Admin.TrashListAsync("vms", "", default), e => e.ImageId == left.ImageId);
        Assert.True(trash.DefermentEnd > DateTimeOffset.UtcNow + TimeSpan.FromDays(6));

        // The worker says it by itself, and stops saying it when the server has its new disk.
        await world.StartWorkerAsync();
        await WorkerProcess.UntilAsync("the alarm", async () => await world.Worker.MetricAsync("rbdbackup_rebuilt_old_disk") >= 1, world.Worker);
        Assert.Contains($"{old} is older than its server's last rebuild", world.Worker.Log);
        await world.Actions.ServerAsync(rebuilt.Id, "rebuild", await ReleaseTests.ImageOfAsync(world, rebuilt));
        await world.Tenant.UntilAsync(rebuilt.Id, "ACTIVE");
        await world.AssertNewAsync(before);

        // The worker sweeps too, one at a time: a dry run needs no turn.
        Assert.DoesNotContain(old.ToString(), OldDisks(await SweepAsync(world, "--dry-run")));
        await mini.Admin.TrashRemoveAsync("vms", "", left.ImageId, default);
    }

    /// <summary>Nova does not get rid of the disk when it shelves the server, so the server gets that very disk back, as it was. To resize, Nova removes none.</summary>
    private static async Task IsShelvedAndResizedAsync(ReleaseWorld world, Server server, string imageId)
    {
        var disk = new ImageSpec("vms", $"{server.Id}_disk");
        await new Guest(server.Id).RunAsync("echo after >/mnt/vda/mark; sync");
        await world.Actions.ServerAsync(server.Id, "shelve");
        await world.Tenant.UntilAsync(server.Id, "SHELVED_OFFLOADED");
        await ReleaseTests.UnshelveAsync(world, server);
        await new Guest(server.Id).UpAsync();
        Assert.Equal("after\n", await new Guest(server.Id).RunAsync("cat /mnt/vda/mark"));

        // Nova flattens the disk of a server that is unshelved, since it deletes the image that it made of it.
        await world.BackupAsync(disk, "full");

        var large = (await world.Tenant.Cloud.Compute.ListFlavorsAsync(default).SingleAsync(f => f.Name == "mini.large")).Id;
        foreach (var end in new[] { "revertResize", "confirmResize" })
        {
            await ReleaseTests.ResizeAsync(world, server, large);
            await world.Actions.ServerAsync(server.Id, end);
            await world.Tenant.UntilAsync(server.Id, "ACTIVE");
            await world.BackupAsync(disk, "increment");
            var info = (await world.FindAsync(disk))!;
            Assert.Equal((imageId, 1), (info.ImageId, info.Snapshots.Count));
        }
    }

    private static async Task<JsonElement> SweepAsync(ReleaseWorld world, params string[] options)
    {
        // Others' servers may have their old disks too.
        var result = await world.Sandbox.RunAsync(["sweep", .. options]);
        Assert.True(result.ExitCode is 0 or (int)ErrorKind.Partial, result.Error);
        return result.Json;
    }

    private static string? ActionOn(ImageSpec image, JsonElement swept) =>
        swept.GetProperty("images").EnumerateArray().Where(i => i.GetProperty("image").GetString() == image.ToString()).Select(i => i.GetProperty("action").GetString()).SingleOrDefault();

    private static IEnumerable<string?> OldDisks(JsonElement swept) => swept.GetProperty("old_disks").EnumerateArray().Select(d => d.GetString());
}
