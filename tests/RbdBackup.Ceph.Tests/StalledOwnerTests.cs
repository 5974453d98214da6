using RbdBackup.Core.Model;

namespace RbdBackup.Ceph.Tests;

/// <summary>A backup must never hurt its guest: the owner of the lock that does not answer keeps its lock, and is not
/// blocklisted.</summary>
[Collection(nameof(CephCollection))]
public sealed class StalledOwnerTests(CephFixture ceph)
{
    private const int Mib = 1 << 20;

    [Fact]
    public async Task A_stalled_owner_costs_the_caller_its_deadline_and_the_owner_nothing()
    {
        var deadline = TimeSpan.FromSeconds(2);
        await using var test = await ceph.CreateImageAsync(8 * Mib);
        await using var holder = await LockHolder.StartAsync(test);
        await using (var cluster = await CephCluster.ConnectAsync(CephFixture.BackupOptions with { CallDeadline = deadline }, default))
        await using (var image = await cluster.OpenAsync(test.Spec, writable: true, default))
        {
            await holder.StopAsync();

            var error = await Assert.ThrowsAsync<CephException>(() => image.CreateSnapshotAsync("late", default));

            Assert.Equal((ErrorKind.Unavailable, true), (error.Kind, error.IsTransient));
            Assert.Contains("its lock was left alone", error.Remedy, StringComparison.Ordinal);
            await holder.WakeAsync();
        }

        await AssertUnharmedAsync(holder);
    }

    [Fact]
    public async Task Librbd_gives_up_by_itself_and_does_not_break_the_lock_of_an_owner_whose_watch_has_lapsed()
    {
        await using var test = await ceph.CreateImageAsync(8 * Mib);
        await using var holder = await LockHolder.StartAsync(test);
        var patient = CephFixture.BackupOptions with { CallDeadline = TimeSpan.FromMinutes(3) };
        await using (var cluster = await CephCluster.ConnectAsync(patient, default))
        await using (var image = await cluster.OpenAsync(test.Spec, writable: true, default))
        {
            await holder.StopAsync();

            var error = await Assert.ThrowsAsync<CephException>(() => image.CreateSnapshotAsync("late", default));

            Assert.Equal((ErrorKind.Unavailable, Native.Errno.EROFS), (error.Kind, error.Errno));
            Assert.All(await image.ListWatchersAsync(default), watcher => Assert.True(watcher.Own));
            await holder.WakeAsync();
        }

        await AssertUnharmedAsync(holder);
    }

    [Fact]
    public async Task A_write_that_waits_for_a_stalled_owner_is_told_of_while_it_waits()
    {
        var told = new TaskCompletionSource<(string Call, string Image, double Seconds)>();
        var options = CephFixture.BackupOptions with
        {
            SlowAfter = TimeSpan.FromSeconds(1),
            OnSlow = (call, image, seconds) => told.TrySetResult((call, image, seconds)),
        };
        await using var test = await ceph.CreateImageAsync(8 * Mib);
        await using var holder = await LockHolder.StartAsync(test);
        await using (var cluster = await CephCluster.ConnectAsync(options, default))
        await using (var image = await cluster.OpenAsync(test.Spec, writable: true, default))
        {
            await holder.StopAsync();
            var writing = image.WriteAsync(0, new byte[512], default).AsTask();

            var (call, name, seconds) = await told.Task.WaitAsync(TimeSpan.FromMinutes(1));

            Assert.Equal(("rbd_aio_write", test.Spec.ToString()), (call, name));
            Assert.InRange(seconds, 0.9, 60); // a timer may be early by a tick
            await holder.WakeAsync();
            await writing;
        }

        await AssertUnharmedAsync(holder);
    }

    private static async Task AssertUnharmedAsync(LockHolder holder)
    {
        await holder.WriteOnAsync();
        await holder.EndAsync();
    }
}
