using RbdBackup.Core.Model;

namespace RbdBackup.Ceph.Tests;

[Collection(nameof(CephCollection))]
public sealed class ClusterTests(CephFixture ceph)
{
    private const int Mib = 1 << 20;

    [Fact]
    public async Task The_room_of_a_pool_is_what_ceph_df_says()
    {
        var free = await ceph.Backup.GetFreeBytesAsync(CephFixture.Pool, default);
        Assert.InRange(free, 1 << 20, 1L << 50);
        Assert.Equal(ErrorKind.NotFound, (await Assert.ThrowsAsync<RbdBackupException>(() => ceph.Backup.GetFreeBytesAsync("no-such-pool", default))).Kind);
    }

    [Fact]
    public async Task The_cluster_and_its_pools_are_known_by_id()
    {
        var pool = await ceph.Backup.GetPoolIdAsync(CephFixture.Pool, default);

        Assert.Equal(CephFixture.Pool, await ceph.Backup.GetPoolNameAsync(pool, default));
        Assert.True(Guid.TryParse(ceph.Backup.Fsid, out _));
        Assert.Equal(ceph.Backup.Fsid, ceph.Restore.Fsid);
    }

    [Fact]
    public async Task A_missing_configuration_or_keyring_is_said_so()
    {
        var noConf = CephFixture.BackupOptions with { ConfFile = "/nonexistent/ceph.conf" };
        var noUser = CephFixture.BackupOptions with { User = "client.nobody" };

        var conf = await Assert.ThrowsAsync<CephException>(() => CephCluster.ConnectAsync(noConf, default));
        var user = await Assert.ThrowsAsync<CephException>(() => CephCluster.ConnectAsync(noUser, default));

        Assert.Equal(ErrorKind.NotFound, conf.Kind);
        Assert.Contains("/nonexistent/ceph.conf", conf.Message, StringComparison.Ordinal);
        Assert.Equal(("rados_connect", "client.nobody"), (user.Call, user.Subject));
        Assert.NotNull(user.Remedy);
    }

    [Fact]
    public async Task A_monitor_that_does_not_answer_is_unavailable()
    {
        // Nothing listens on this port of the loopback.
        var conf = Path.Combine(Path.GetTempPath(), $"{CephFixture.NewName()}.conf");
        var real = await File.ReadAllLinesAsync(CephFixture.BackupOptions.ConfFile!);
        var keyring = real.First(line => line.StartsWith("keyring", StringComparison.Ordinal));
        await File.WriteAllTextAsync(conf, $"[global]\nmon_host = v2:127.0.0.1:9\n{keyring}\n");
        var options = new CephOptions { ConfFile = conf, User = CephFixture.BackupUser, ConnectTimeout = TimeSpan.FromSeconds(1) };

        var error = await Assert.ThrowsAsync<CephException>(() => CephCluster.ConnectAsync(options, default));

        Assert.Equal(ErrorKind.Unavailable, error.Kind);
        File.Delete(conf);
    }

    [Fact]
    public async Task An_image_is_listed_found_opened_by_id_renamed_and_removed_twice()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        var id = (await ceph.Backup.FindAsync(test.Spec, default))!.ImageId;
        Assert.NotNull(id);
        Assert.Contains(test.Spec.Name, await ceph.Backup.ListImagesAsync(CephFixture.Pool, "", default));

        var renamed = test.Spec.WithName(CephFixture.NewName());
        await ceph.Restore.RenameAsync(test.Spec, renamed.Name, default);

        Assert.Null(await ceph.Backup.FindAsync(test.Spec, default));
        Assert.Equal(id, (await ceph.Backup.FindAsync(renamed, default))!.ImageId);
        await using (var image = await ceph.Backup.OpenByIdAsync(CephFixture.Pool, "", id, writable: false, default))
        {
            Assert.Equal(renamed, image.Spec);
        }

        await ceph.Restore.RemoveAsync(renamed, default);
        await ceph.Restore.RemoveAsync(renamed, default);
        Assert.Null(await ceph.Backup.FindAsync(renamed, default));
    }

    [Fact]
    public async Task What_does_not_exist_is_not_found_and_what_exists_is_not_made_again()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        var missing = test.Spec.WithName(CephFixture.NewName());

        await FailsAsync(ErrorKind.NotFound, () => ceph.Backup.OpenAsync(missing, false, default));
        await FailsAsync(ErrorKind.NotFound, () => ceph.Backup.ListImagesAsync("no-such-pool", "", default));
        await FailsAsync(ErrorKind.NotFound, () => ceph.Backup.FindAsync(missing with { Pool = "no-such-pool" }, default));
        await FailsAsync(ErrorKind.NotFound, () => ceph.Restore.RenameAsync(missing, "other", default));
        await FailsAsync(ErrorKind.Refused, () => ceph.Restore.CreateAsync(test.Spec, Mib, CephFixture.UsualLayout, default));
    }

    [Fact]
    public async Task An_image_with_snapshots_or_watchers_is_not_removed()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        await using (var image = await test.OpenAsync())
        {
            await FailsAsync(ErrorKind.Busy, () => ceph.Restore.RemoveAsync(test.Spec, default));
            await image.CreateSnapshotAsync("s", default);
        }

        await FailsAsync(ErrorKind.Refused, () => ceph.Restore.RemoveAsync(test.Spec, default));
    }

    [Fact]
    public async Task A_pool_that_the_user_may_not_see_is_a_matter_of_permission()
    {
        await FailsAsync(ErrorKind.Permission, () => ceph.Backup.ListImagesAsync("rbdbackup", "", default));
        await FailsAsync(ErrorKind.Permission, () => ceph.Backup.CreateAsync(
            new ImageSpec("images", CephFixture.NewName()), Mib, CephFixture.UsualLayout, default));
    }

    [Fact]
    public async Task The_trash_keeps_an_image_with_its_deferment_and_gives_it_back()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        var id = (await ceph.Backup.FindAsync(test.Spec, default))!.ImageId;

        await ceph.Restore.TrashMoveAsync(test.Spec, TimeSpan.FromDays(3), default);

        var entry = Assert.Single(await ceph.Restore.TrashListAsync(CephFixture.Pool, "", default), e => e.ImageId == id);
        Assert.Equal(test.Spec.Name, entry.Name);
        Assert.Equal(TimeSpan.FromDays(3), entry.DefermentEnd - entry.DeletedAt);

        await ceph.Restore.TrashRestoreAsync(CephFixture.Pool, "", id, test.Spec.Name, default);
        Assert.Equal(id, (await ceph.Backup.FindAsync(test.Spec, default))!.ImageId);

        await ceph.Restore.TrashMoveAsync(test.Spec, TimeSpan.FromDays(3), default);
        await ceph.Restore.TrashRemoveAsync(CephFixture.Pool, "", id, default);
        await FailsAsync(ErrorKind.NotFound, () => ceph.Restore.TrashRestoreAsync(CephFixture.Pool, "", id, test.Spec.Name, default));
    }

    private static async Task FailsAsync(ErrorKind kind, Func<Task> act) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<CephException>(act)).Kind);
}
