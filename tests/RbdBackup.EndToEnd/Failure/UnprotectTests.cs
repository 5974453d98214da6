using RbdBackup.Core.Model;

namespace RbdBackup.EndToEnd.Failure;

/// <summary>All that is ours goes, and nothing else.</summary>
public sealed class UnprotectTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 1 << 20;

    [Fact]
    public async Task An_image_loses_our_snapshots_and_records_and_keeps_those_of_others()
    {
        using var sandbox = new Sandbox();
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, Size, 1);
        await sandbox.DoAsync("backup", "image", image.ToString());
        var foreign = await image.SnapshotAsync("somebody-elses");
        Assert.Equal(["snapshot"], (await sandbox.DoAsync("unprotect", image.ToString(), "--dry-run")).EnumerateArray().Select(t => t.GetProperty("kind").GetString()));
        Assert.Equal(2, (await image.InfoAsync()).Snapshots.Count);

        await sandbox.DoAsync("unprotect", image.ToString());

        Assert.Equal(foreign, Assert.Single((await image.InfoAsync()).Snapshots).Id);
        Assert.Equal("full", (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("kind").GetString());
        Assert.DoesNotContain((await sandbox.DoAsync("unprotect", image.ToString(), "--dry-run")).EnumerateArray(), t => t.GetProperty("kind").GetString() == "records");
    }

    [Fact]
    public async Task Of_a_whole_cluster_no_snapshot_no_trash_no_image_and_no_record_is_left()
    {
        // A namespace of images and one of records of its own: what other tests have is theirs.
        var ns = Mini.NewName();
        await Tool.RbdAsync("namespace", "create", $"vms/{ns}");
        try
        {
            using var sandbox = new Sandbox(
                $"ceph.user=client.admin", "ceph.restore_user=client.admin", $"ceph.state_namespace={ns}", "ceph.vms_pool=images", "ceph.volumes_pool=images", $"policy:x.pool=vms/{ns}", "ceph.lease_duration=5s");
            var image = await mini.CreateAsync(Size, @namespace: ns);
            await image.FillAsync(0, Size, 1);
            var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
            await sandbox.DoAsync("restore", point, "--replace");
            await Killed.AtAsync(sandbox, "verify.made", "verify", point, "--restore");
            Assert.Single(await mini.Admin.TrashListAsync("vms", ns, default));

            var removed = (await Killed.AgainAsync(sandbox, "unprotect", "--all")).EnumerateArray().ToList();

            Assert.All(removed, r => Assert.Equal("removed", r.GetProperty("state").GetString()));
            Assert.Superset(new HashSet<string> { "snapshot", "trash", "records", "image" }, removed.Select(r => r.GetProperty("kind").GetString()!).ToHashSet());
            Assert.Empty(await mini.Admin.TrashListAsync("vms", ns, default));
            Assert.Equal([image.Spec.Name], await mini.Admin.ListImagesAsync("vms", ns, default));
            Assert.Empty((await image.InfoAsync()).Snapshots);
            Assert.Equal("", (await Tool.RunAsync("rados", "--name", "client.admin", "-p", "rbdbackup", "-N", ns, "ls")).Trim());
            await image.DisposeAsync();
        }
        finally
        {
            await Tool.RbdAsync("namespace", "remove", $"vms/{ns}");
        }
    }

    [Fact]
    public async Task While_a_restore_is_not_finished_nothing_goes()
    {
        var ns = Mini.NewName();
        using var sandbox = new Sandbox($"ceph.user={Mini.WorkerUser}", "ceph.restore_user=client.admin", $"ceph.state_namespace={ns}", "ceph.vms_pool=images", "ceph.volumes_pool=images", "ceph.lease_duration=5s");
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, Size, 1);
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
        await Killed.AtAsync(sandbox, "restore.aside", "restore", point, "--replace");

        // First the dead one's lease lapses.
        var refused = await sandbox.RunAsync("unprotect", "--all");
        for (var tries = 60; refused.ExitCode == (int)ErrorKind.Busy && tries > 0; tries--)
        {
            await Task.Delay(500);
            refused = await sandbox.RunAsync("unprotect", "--all");
        }

        Assert.Equal((int)ErrorKind.Refused, refused.ExitCode);
        Assert.Contains("was not finished", refused.Error, StringComparison.Ordinal);

        await Killed.AgainAsync(sandbox, "restore", point, "--replace");
        Assert.NotEmpty((await sandbox.DoAsync("unprotect", "--all")).EnumerateArray());
    }
}
