using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Failure;
using RbdBackup.OpenStack.BlockStorage;

namespace RbdBackup.EndToEnd.OpenStack;

[Trait("Needs", "OpenStack")]
public sealed class VolumeRestoreTests(Mini mini) : IClassFixture<Mini>
{
    [Fact]
    public async Task Into_an_available_volume_and_back()
    {
        await using var scene = await VolumeScene.BeginAsync(mini);
        var volume = await scene.VolumeAsync(seed: 1);
        var (content, point) = (await scene.ReadAsync(volume.Id), await scene.BackupAsync(volume.Id));
        await scene.FillAsync(volume.Id, 1 << 20, 3 << 20, seed: 2);
        var later = await scene.ReadAsync(volume.Id);

        var result = await scene.Sandbox.DoAsync("restore", point, "--to-volume", volume.Id);

        Assert.Equal(content, await scene.ReadAsync(volume.Id));
        Assert.Equal($"volumes/volume-{volume.Id}", result.GetProperty("image").GetString());
        await scene.IsCleanAsync(volume.Id);
        Assert.Equal("increment", (await scene.Sandbox.DoAsync("backup", "volume", volume.Id)).GetProperty("kind").GetString());

        await scene.Sandbox.DoAsync("restore", "--undo", volume.Id);
        Assert.Equal(later, await scene.ReadAsync(volume.Id));
        await scene.IsCleanAsync(volume.Id);
    }

    [Fact]
    public async Task Into_a_larger_volume_whose_size_stays()
    {
        await using var scene = await VolumeScene.BeginAsync(mini);
        var (small, large) = (await scene.VolumeAsync(seed: 1), await scene.VolumeAsync(seed: 2, size: 2));
        var (content, point) = (await scene.ReadAsync(small.Id), await scene.BackupAsync(small.Id));

        await scene.Sandbox.DoAsync("restore", point, "--to-volume", large.Id);

        Assert.Equal(content, await scene.ReadAsync(large.Id));
        await scene.IsCleanAsync(large.Id);
        var back = await scene.Sandbox.RunAsync("restore", await scene.BackupAsync(large.Id), "--to-volume", small.Id);
        Assert.True(back.ExitCode == 10 && back.Error.Contains("volume set --size 2", StringComparison.Ordinal), back.Error);
        Assert.Equal(content, await scene.ReadAsync(small.Id));
        await scene.IsCleanAsync(small.Id);
        Assert.Equal(3, (await scene.Sandbox.RunAsync("restore", point, "--to-volume", Guid.NewGuid().ToString())).ExitCode);
        Assert.Equal(2, (await scene.Sandbox.RunAsync("restore", point, "--to-volume", "no-id")).ExitCode);
    }

    [Fact]
    public async Task A_volume_with_Cinder_snapshots_is_restored_in_place_only()
    {
        await using var scene = await VolumeScene.BeginAsync(mini);
        var volume = await scene.VolumeAsync(seed: 1);
        var (content, point) = (await scene.ReadAsync(volume.Id), await scene.BackupAsync(volume.Id));
        await scene.FillAsync(volume.Id, 0, 1 << 20, seed: 2);
        var later = await scene.ReadAsync(volume.Id);
        await TenantScene.CliAsync("volume", "snapshot", "create", "--volume", volume.Id, "volumes-e2e");
        var snapshot = await scene.Service.Cloud.BlockStorage.ListSnapshotsAsync(new SnapshotFilter { AllProjects = true, VolumeId = volume.Id }, default).SingleAsync();
        try
        {
            await Tenant.UntilAsync("the snapshot", async () => (await scene.Service.Cloud.BlockStorage.GetSnapshotAsync(snapshot.Id, default)).Status == "available");
            var refused = await scene.Sandbox.RunAsync("restore", point, "--to-volume", volume.Id);
            Assert.True(refused.ExitCode == 10 && refused.Error.Contains("--in-place", StringComparison.Ordinal), refused.Error);
            Assert.Equal(later, await scene.ReadAsync(volume.Id));

            await scene.Sandbox.DoAsync("restore", point, "--to-volume", volume.Id, "--in-place");

            Assert.Equal(content, await scene.ReadAsync(volume.Id));
            await scene.IsCleanAsync(volume.Id);
            Assert.Contains((await mini.Admin.FindAsync(VolumeScene.Image(volume.Id), default))!.Snapshots, s => s.Name == $"snapshot-{snapshot.Id}");
        }
        finally
        {
            await Tool.RunAsync("openstack", "volume", "snapshot", "delete", snapshot.Id);
            await Tenant.UntilAsync("the snapshot is gone", () => Tenant.IsGoneAsync(() => scene.Service.Cloud.BlockStorage.GetSnapshotAsync(snapshot.Id, default)));
        }
    }

    [Theory]
    [InlineData("volume.journal")]
    [InlineData("volume.reserved")]
    [InlineData("restore.aside")]
    [InlineData("volume.restored")]
    [InlineData("volume.given-back")]
    public async Task Killed_in_the_middle_the_same_command_ends_well(string step)
    {
        await using var scene = await VolumeScene.BeginAsync(mini, Killed.Settings);
        var volume = await scene.VolumeAsync(seed: 1);
        var (content, point) = (await scene.ReadAsync(volume.Id), await scene.BackupAsync(volume.Id));
        await scene.FillAsync(volume.Id, 1 << 20, 3 << 20, seed: 2);
        await Killed.AtAsync(scene.Sandbox, step, "restore", point, "--to-volume", volume.Id);

        await Killed.AgainAsync(scene.Sandbox, "restore", point, "--to-volume", volume.Id);

        Assert.Equal(content, await scene.ReadAsync(volume.Id));
        await scene.IsCleanAsync(volume.Id);
    }

    [Theory]
    [InlineData("volume.held", false)]
    [InlineData("restore.aside", false)]
    [InlineData("in-place.write", true)]
    public async Task Killed_in_the_middle_an_undo_gives_the_volume_back(string step, bool inPlace)
    {
        await using var scene = await VolumeScene.BeginAsync(mini, Killed.Settings);
        var volume = await scene.VolumeAsync(seed: 1);
        var point = await scene.BackupAsync(volume.Id);
        await scene.FillAsync(volume.Id, 1 << 20, 3 << 20, seed: 2);
        var later = await scene.ReadAsync(volume.Id);
        string[] command = ["restore", point, "--to-volume", volume.Id];
        await Killed.AtAsync(scene.Sandbox, step, inPlace ? [.. command, "--in-place"] : command);
        Assert.Equal("reserved", (await scene.Service.Cloud.BlockStorage.GetVolumeAsync(volume.Id, default)).Status);

        await Killed.AgainAsync(scene.Sandbox, "restore", "--undo", volume.Id);

        Assert.Equal(later, await scene.ReadAsync(volume.Id));
        await scene.IsCleanAsync(volume.Id);
    }
}

[Trait("Needs", "OpenStack")]
public sealed class AttachedVolumeRestoreTests(Mini mini) : IClassFixture<Mini>
{
    [Fact]
    public async Task The_server_is_stopped_and_finds_its_old_file_also_after_a_kill()
    {
        await using var scene = await VolumeScene.BeginAsync(mini, Killed.Settings);
        var volume = await scene.Tenant.CreateVolumeAsync();
        var server = await scene.Tenant.BootAsync(name: "volumes-attached");
        await scene.Tenant.AttachAsync(server.Id, volume.Id);
        var guest = new Guest(server.Id);
        await guest.UpAsync(disks: 2);
        await guest.RunAsync("echo old >/mnt/vdb/file; sync");
        var point = await scene.BackupAsync(volume.Id);
        await guest.RunAsync("echo new >/mnt/vdb/file; sync");

        var refused = await scene.Sandbox.RunAsync("restore", point, "--to-volume", volume.Id);
        Assert.True(refused.ExitCode == 10 && refused.Error.Contains("--stop-server", StringComparison.Ordinal), refused.Error);
        Assert.Equal("ACTIVE", (await scene.Service.Cloud.Compute.GetServerAsync(server.Id, default)).Status);

        await scene.Sandbox.DoAsync("restore", point, "--to-volume", volume.Id, "--stop-server");

        await IsAsBeforeAsync(scene, server.Id, volume.Id);
        await guest.UpAsync(disks: 2);
        Assert.Equal("old\n", await guest.RunAsync("cat /mnt/vdb/file; echo new >/mnt/vdb/file; sync"));

        await Killed.AtAsync(scene.Sandbox, "volume.stopped", "restore", point, "--to-volume", volume.Id, "--stop-server");
        var held = await scene.Service.Cloud.Compute.GetServerAsync(server.Id, default);
        Assert.True(held.Locked && held.LockedReason!.Contains(point, StringComparison.Ordinal), held.LockedReason);
        await Assert.ThrowsAsync<RbdBackupException>(() => scene.Tenant.Cloud.Compute.StartAsync(server.Id, default));

        await Killed.AgainAsync(scene.Sandbox, "restore", point, "--to-volume", volume.Id, "--stop-server");

        await IsAsBeforeAsync(scene, server.Id, volume.Id);
        await guest.UpAsync(disks: 2);
        Assert.Equal("old\n", await guest.RunAsync("cat /mnt/vdb/file"));
    }

    private static async Task IsAsBeforeAsync(VolumeScene scene, string serverId, string volumeId)
    {
        var server = await scene.Service.UntilAsync(serverId, "ACTIVE");
        Assert.False(server.Locked);
        await scene.IsCleanAsync(volumeId, "in-use");
    }
}

[Trait("Needs", "OpenStack")]
public sealed class NewVolumeRestoreTests(Mini mini) : IClassFixture<Mini>
{
    [Fact]
    public async Task A_new_volume_is_what_the_point_is()
    {
        await using var scene = await VolumeScene.BeginAsync(mini);
        var volume = await scene.VolumeAsync(seed: 1);
        await scene.Service.Cloud.BlockStorage.SetBootableAsync(volume.Id, true, default);
        await scene.Service.Cloud.BlockStorage.SetImageMetadataAsync(volume.Id, new Dictionary<string, string> { ["hw_disk_bus"] = "virtio" }, default);
        var (content, point) = (await scene.ReadAsync(volume.Id), await scene.BackupAsync(volume.Id));

        var result = await scene.Sandbox.DoAsync("restore", point, "--to-new-volume", "--name", "volumes-new", "--type", "__DEFAULT__", "--availability-zone", "nova");

        var made = result.GetProperty("volume").GetString()!;
        scene.Service.Own(volume: made);
        await scene.IsCleanAsync(made);
        Assert.Equal(content, await scene.ReadAsync(made));
        var shown = await scene.Service.Cloud.BlockStorage.GetVolumeAsync(made, default);
        Assert.Equal(("volumes-new", true, "virtio", 0), (shown.Name, shown.Bootable, shown.VolumeImageMetadata?["hw_disk_bus"], shown.Metadata.Count));
        Assert.Equal(content, await scene.ReadAsync(volume.Id));

        // Of a project in which our user has no role nothing is made; of one in which it has, the volume is that project's.
        var project = Mini.Setting("RBDBACKUP_TEST_TENANT_A_PROJECT");
        var refused = await scene.Sandbox.RunAsync("restore", point, "--to-new-volume", "--project", project);
        Assert.True(refused.ExitCode == 5 && refused.Error.Contains("role add", StringComparison.Ordinal), refused.Error);
        string[] role = ["--project", project, "--user", Mini.Setting("RBDBACKUP_TEST_SERVICE_USER"), "member"];
        await Tool.RunAsync("openstack", ["role", "add", .. role]);
        try
        {
            var theirs = (await scene.Sandbox.DoAsync("restore", point, "--to-new-volume", "--project", project)).GetProperty("volume").GetString()!;
            scene.Tenant.Own(volume: theirs);
            Assert.Equal(volume.ProjectId, (await scene.Tenant.Cloud.BlockStorage.GetVolumeAsync(theirs, default)).ProjectId);
            await scene.IsCleanAsync(theirs);
        }
        finally
        {
            await Tool.RunAsync("openstack", ["role", "remove", .. role]);
        }
    }

    [Theory]
    [InlineData("volume.asked")]
    [InlineData("in-place.write")]
    [InlineData("volume.given-back")]
    public async Task Killed_in_the_middle_the_same_command_makes_one_whole_volume(string step)
    {
        await using var scene = await VolumeScene.BeginAsync(mini, Killed.Settings);
        var volume = await scene.VolumeAsync(seed: 1);
        var (content, point) = (await scene.ReadAsync(volume.Id), await scene.BackupAsync(volume.Id));
        var name = $"volumes-{Guid.NewGuid():N}";
        await Killed.AtAsync(scene.Sandbox, step, "restore", point, "--to-new-volume", "--name", name);

        var made = (await Killed.AgainAsync(scene.Sandbox, "restore", point, "--to-new-volume", "--name", name)).GetProperty("volume").GetString()!;

        scene.Service.Own(volume: made);
        Assert.Equal(content, await scene.ReadAsync(made));
        await scene.IsCleanAsync(made);
        Assert.Equal(made, (await NamedAsync(scene, name).SingleAsync()).Id);
    }

    [Fact]
    public async Task What_fails_leaves_no_volume()
    {
        await using var scene = await VolumeScene.BeginAsync(mini);
        var volume = await scene.VolumeAsync(seed: 1);
        var point = await scene.BackupAsync(volume.Id);
        foreach (var segment in Directory.GetFiles(Path.Combine(scene.Sandbox.StoreFolder, "data", point), "0*"))
        {
            File.Delete(segment);
        }

        var name = $"volumes-{Guid.NewGuid():N}";

        var failed = await scene.Sandbox.RunAsync("restore", point, "--to-new-volume", "--name", name);

        Assert.True(failed.ExitCode is 3 or 7, failed.Error);
        Assert.Empty(await NamedAsync(scene, name).ToListAsync());
        Assert.Equal(3, (await scene.Sandbox.RunAsync("restore", point, "--to-new-volume", "--name", name, "--type", "no such type")).ExitCode);
        Assert.Empty(await NamedAsync(scene, name).ToListAsync());
    }

    private static IAsyncEnumerable<Volume> NamedAsync(VolumeScene scene, string name) =>
        scene.Service.Cloud.BlockStorage.ListVolumesAsync(new VolumeFilter { AllProjects = true, Name = name }, default);
}
