using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Failure;
using RbdBackup.EndToEnd.Worker;
using Xunit.Sdk;

namespace RbdBackup.EndToEnd.OpenStack.Servers;

/// <summary>Server points of a guest that runs: what is in them, and that the guest never stays held.</summary>
[Trait("Needs", "OpenStack")]
[Collection(ServerScene.Shared)]
public sealed class ServerPointTests(ServerScene scene)
{
    private static readonly string[] Nothing = [];

    [Fact]
    public async Task Paused_all_disks_are_of_one_instant_and_the_guest_runs_on()
    {
        using var sandbox = ServerScene.Sandbox();
        var point = await sandbox.DoAsync("backup", "server", scene.Name, "--consistency", "paused");
        Assert.Equal(("paused", scene.Server.Id, scene.Name), (Text(point, "consistency"), Text(point, "server"), Text(point, "name")));
        Assert.True(point.GetProperty("held_ms").GetInt64() >= point.GetProperty("spread_ms").GetInt64());
        await RunsAsync();
        var (root, volume) = await FilesAsync(sandbox, point);

        // Nobody told the file systems: they are as after a loss of power.
        Assert.True(await FileSystem.NeedsRecoveryAsync(root));
        await CountersAgreeAsync(root, volume);

        // The second one is made of increments, and the list has both.
        await sandbox.DoAsync("backup", "server", scene.Server.Id, "--consistency", "paused");
        Assert.All((await sandbox.DoAsync("list")).EnumerateArray().Where(p => p.GetProperty("base").ValueKind != JsonValueKind.Null), p => Assert.Equal("increment", Text(p, "kind")));
        var listed = (await sandbox.DoAsync("list", "server", scene.Name)).EnumerateArray().ToList();
        Assert.Equal(2, listed.Count);
        Assert.All(listed, p => Assert.True(p.GetProperty("whole").GetBoolean()));
        Assert.Single((await sandbox.DoAsync("list", "server", "--all", "--until", Text(listed[0], "moment"))).EnumerateArray());
        Assert.Equal(2, (await sandbox.DoAsync("list", "server", "--project", scene.Server.ProjectId)).GetArrayLength());
        Assert.Single(await ServerScene.SnapshotsAsync(scene.RootImage));

        var shown = (await sandbox.DoAsync("show", Text(point, "id"))).GetProperty("server_point").GetProperty("description");
        Assert.Equal("mini", shown.GetProperty("flavor").GetProperty("name").GetString());
        Assert.Equal("servers", shown.GetProperty("metadata").GetProperty("owner").GetString());
        Assert.Contains("<domain", Text(shown, "domain_xml"), StringComparison.Ordinal);
        Assert.Equal(scene.Volume, Text(shown.GetProperty("volumes")[0], "id"));
    }

    [Fact]
    public async Task Frozen_file_systems_are_clean_and_of_one_instant()
    {
        using var sandbox = ServerScene.Sandbox();
        var point = await sandbox.DoAsync("backup", "server", scene.Server.Id, "--consistency", "frozen");
        Assert.Equal("frozen", Text(point, "consistency"));
        await RunsAsync();
        var (root, volume) = await FilesAsync(sandbox, point);
        foreach (var disk in (string[])[root, volume])
        {
            Assert.False(await FileSystem.NeedsRecoveryAsync(disk));
            await FileSystem.CheckAsync(disk);
        }

        await CountersAgreeAsync(root, volume);
    }

    /// <summary>What the two above look at can fail: these snapshots lie no further apart than the guest takes to count on.</summary>
    [Fact]
    public async Task Of_two_instants_the_disks_do_not_agree()
    {
        using var sandbox = ServerScene.Sandbox();
        var root = Text(await sandbox.DoAsync("backup", "image", scene.RootImage.ToString()), "id");
        await CountsOnAsync();
        var volume = Text(await sandbox.DoAsync("backup", "image", scene.VolumeImage.ToString()), "id");
        var (first, second) = (await scene.FileAsync(sandbox, root), await scene.FileAsync(sandbox, volume));
        await Assert.ThrowsAsync<InRangeException>(() => CountersAgreeAsync(first, second));
        await Assert.ThrowsAsync<InRangeException>(() => CountersAgreeAsync(second, first));
    }

    [Fact]
    public async Task A_disk_that_can_not_be_snapshot_leaves_nothing_of_the_others()
    {
        await using var events = await EventQueue.OpenAsync($"e2e-{Guid.NewGuid():N}");
        using var sandbox = ServerScene.Sandbox(events.Settings);
        await ServerScene.ReleaseAsync(scene.RootImage, scene.VolumeImage);
        await Tool.RbdAsync("snap", "create", "--no-progress", $"{scene.VolumeImage}@other");
        await Tool.RbdAsync("snap", "limit", "set", "--limit", "1", scene.VolumeImage.ToString());
        try
        {
            var result = await sandbox.RunAsync("backup", "server", scene.Server.Id, "--consistency", "paused");
            Assert.NotEqual(0, result.ExitCode);
            Assert.Contains("none of its 2 disks was stored", result.Error, StringComparison.Ordinal);
            Assert.Equal([$"backup.start {scene.Server.Id}", $"backup.error {scene.Server.Id}"], await events.TypesAsync(2, "server_id"));
            Assert.Contains("none of its 2 disks", (string?)(await events.AllAsync())[1]["payload"]!["message"], StringComparison.Ordinal);
        }
        finally
        {
            await Tool.RbdAsync("snap", "limit", "clear", scene.VolumeImage.ToString());
            await Tool.RbdAsync("snap", "rm", "--no-progress", $"{scene.VolumeImage}@other");
        }

        await RunsAsync();
        await NothingIsLeftAsync(sandbox);
        var jobs = (await sandbox.DoAsync("jobs")).EnumerateArray().ToList();
        Assert.Equal(2, jobs.Count);
        Assert.All(jobs, j => Assert.Equal("failed", Text(j, "state")));
    }

    [Fact]
    public async Task Killed_while_the_guest_is_paused_the_next_one_lets_it_go()
    {
        using var sandbox = ServerScene.Sandbox();
        await ServerScene.ReleaseAsync(scene.RootImage, scene.VolumeImage);
        await Killed.AtAsync(sandbox, "server.paused", "backup", "server", scene.Server.Id, "--consistency", "paused");
        Assert.Equal("PAUSED", (await scene.Tenant.Cloud.Compute.GetServerAsync(scene.Server.Id, default)).Status);
        var point = await Killed.AgainAsync(sandbox, "backup", "server", scene.Server.Id);
        Assert.Equal("crash", Text(point, "consistency"));
        await RunsAsync();
        Assert.Single(await ServerScene.SnapshotsAsync(scene.RootImage));
        Assert.Single(await ServerScene.SnapshotsAsync(scene.VolumeImage));
    }

    [Fact]
    public async Task Killed_while_the_guest_is_paused_a_worker_lets_it_go()
    {
        var name = $"e2e-servers-{Guid.NewGuid():N}";
        using var sandbox = ServerScene.Sandbox([.. WorkerProcess.Settings(name), "tenants.ask_cloud=true", $"notifications.metadata_prefix={name}_"]);
        await ServerScene.ReleaseAsync(scene.RootImage, scene.VolumeImage);
        await Killed.AtAsync(sandbox, "server.held", "backup", "server", scene.Server.Id, "--consistency", "paused");
        Assert.Equal("PAUSED", (await scene.Tenant.Cloud.Compute.GetServerAsync(scene.Server.Id, default)).Status);
        Assert.Single(await ServerScene.SnapshotsAsync(scene.VolumeImage));
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await RunsAsync();
        await WorkerProcess.UntilAsync(
            "the snapshots are cleared away", async () => (await ServerScene.SnapshotsAsync(scene.RootImage)).Count + (await ServerScene.SnapshotsAsync(scene.VolumeImage)).Count == 0, worker);
    }

    [Fact]
    public async Task Killed_while_the_guest_is_frozen_it_thaws_by_itself()
    {
        using var sandbox = ServerScene.Sandbox();
        await ServerScene.ReleaseAsync(scene.RootImage, scene.VolumeImage);
        await Killed.AtAsync(sandbox, "server.frozen", "backup", "server", scene.Server.Id, "--consistency", "frozen");
        await Tenant.UntilAsync("the guest is thawed", async () => (await Guest.AskAsync(scene.Server.Id, "guest-fsfreeze-status", []))!.GetValue<string>() == "thawed");
        await RunsAsync();
        var point = await Killed.AgainAsync(sandbox, "backup", "server", scene.Server.Id, "--consistency", "frozen");
        Assert.Equal("frozen", Text(point, "consistency"));
        await RunsAsync();
    }

    [Fact]
    public async Task Killed_between_two_commits_the_next_one_is_whole_and_the_first_never_was()
    {
        using var sandbox = ServerScene.Sandbox();
        await ServerScene.ReleaseAsync(scene.RootImage, scene.VolumeImage);
        await Killed.AtAsync(sandbox, "server.disk", "backup", "server", scene.Server.Id);
        Assert.Empty((await sandbox.DoAsync("list", "server", "--all")).EnumerateArray());
        var point = await Killed.AgainAsync(sandbox, "backup", "server", scene.Server.Id);
        Assert.Equal(Text(point, "id"), Text(Assert.Single((await sandbox.DoAsync("list", "server", "--all")).EnumerateArray()), "id"));
        var (root, volume) = ServerScene.Points(point);
        Assert.Equal(new[] { root, volume }.Order(), (await sandbox.DoAsync("list")).EnumerateArray().Select(p => Text(p, "id")).Order());
        Assert.Single(await ServerScene.SnapshotsAsync(scene.RootImage));
        Assert.Single(await ServerScene.SnapshotsAsync(scene.VolumeImage));
        Assert.Equal(0, (await sandbox.DoAsync("repo", "check")).GetProperty("finding_count").GetInt32());
    }

    [Fact]
    public async Task A_server_that_was_paused_before_stays_paused()
    {
        using var sandbox = ServerScene.Sandbox();
        await scene.Tenant.Cloud.Compute.PauseAsync(scene.Server.Id, default);
        try
        {
            await scene.Tenant.UntilAsync(scene.Server.Id, "PAUSED");
            var point = await sandbox.DoAsync("backup", "server", scene.Server.Id, "--consistency", "paused");
            Assert.Equal(("paused", JsonValueKind.Null), (Text(point, "consistency"), point.GetProperty("held_ms").ValueKind));
            Assert.Equal("PAUSED", (await scene.Tenant.Cloud.Compute.GetServerAsync(scene.Server.Id, default)).Status);
        }
        finally
        {
            await scene.Tenant.Cloud.Compute.UnpauseAsync(scene.Server.Id, default);
            await scene.Tenant.UntilAsync(scene.Server.Id, "ACTIVE");
        }
    }

    [Fact]
    public async Task A_server_that_is_off_gives_a_clean_point()
    {
        using var sandbox = ServerScene.Sandbox();
        await scene.Tenant.Cloud.Compute.StopAsync(scene.Server.Id, default);
        await scene.Tenant.UntilAsync(scene.Server.Id, "SHUTOFF");
        try
        {
            Assert.Equal("clean", Text(await sandbox.DoAsync("backup", "server", scene.Server.Id, "--consistency", "frozen"), "consistency"));
        }
        finally
        {
            await scene.StartAsync();
        }
    }

    private static string Text(JsonElement document, string name) => document.GetProperty(name).GetString()!;

    private async Task<(string Root, string Volume)> FilesAsync(Sandbox sandbox, JsonElement point)
    {
        var (root, volume) = ServerScene.Points(point);
        return (await scene.FileAsync(sandbox, root), await scene.FileAsync(sandbox, volume));
    }

    /// <summary>The guest writes a number to the root disk, and when that is safe, to the volume: at any one instant the root disk is as far as the volume, or one ahead. No other state is legal.</summary>
    private static async Task CountersAgreeAsync(string root, string volume)
    {
        var (first, second) = (long.Parse(await FileSystem.ReadAsync(root, "/counter")), long.Parse(await FileSystem.ReadAsync(volume, "/counter")));
        Assert.InRange(first - second, 0, 1);
        Assert.True(second > 0);
    }

    /// <summary>It is ACTIVE, and its guest goes on counting on both disks.</summary>
    private async Task RunsAsync()
    {
        await scene.Tenant.UntilAsync(scene.Server.Id, "ACTIVE");
        await CountsOnAsync();
    }

    private async Task CountsOnAsync()
    {
        async Task<long> CountedAsync() => long.Parse(await scene.Guest.RunAsync("cat /mnt/vdb/counter"));
        var before = await CountedAsync();
        await Tenant.UntilAsync("the guest counts on", async () => await CountedAsync() > before + 1);
    }

    private async Task NothingIsLeftAsync(Sandbox sandbox)
    {
        foreach (var image in (ImageSpec[])[scene.RootImage, scene.VolumeImage])
        {
            Assert.Equal(Nothing, await ServerScene.SnapshotsAsync(image));
        }

        Assert.Empty((await sandbox.DoAsync("list")).EnumerateArray());
        Assert.Empty((await sandbox.DoAsync("list", "server", "--all")).EnumerateArray());
    }
}
