using System.Text;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Ceph.Tests;

[Collection(nameof(CephCollection))]
public sealed class StateStoreTests(CephFixture ceph)
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(3);

    [Fact]
    public async Task A_lease_has_one_holder_at_a_time_and_says_who()
    {
        var name = CephFixture.NewName();
        await using var one = Store(ceph.Backup);
        await using var other = Store(ceph.Restore);
        Assert.Null(await one.GetHolderAsync(name, default));
        var me = $"{Environment.MachineName}/{Environment.ProcessId}";

        await using (await one.AcquireAsync(name, default))
        {
            Assert.Equal(me, await other.GetHolderAsync(name, default));
            var taken = await Assert.ThrowsAsync<RbdBackupException>(() => other.AcquireAsync(name, default));
            await Assert.ThrowsAsync<RbdBackupException>(() => one.AcquireAsync(name, default));
            Assert.Equal(ErrorKind.Busy, taken.Kind);
            Assert.Contains(me, taken.Message, StringComparison.Ordinal);
        }

        Assert.Null(await one.GetHolderAsync(name, default));
        await using (await other.AcquireAsync(name, default))
        {
        }
    }

    [Fact]
    public async Task A_lease_that_is_renewed_outlives_its_duration()
    {
        var name = CephFixture.NewName();
        await using var one = Store(ceph.Backup, Short);
        await using var other = Store(ceph.Restore);
        await using var lease = await one.AcquireAsync(name, default);

        for (var start = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(start) < Short * 2;)
        {
            Assert.NotNull(await other.GetHolderAsync(name, default));
        }

        Assert.False(lease.Lost.IsCancellationRequested);
        await lease.UpdateAsync(Records("k", "v"), [], default);
    }

    [Fact]
    public async Task A_lease_that_can_t_be_renewed_is_lost_and_then_free_for_others()
    {
        var name = CephFixture.NewName();
        var one = Store(ceph.Backup, Short);
        await using var other = Store(ceph.Restore);
        await using var lease = await one.AcquireAsync(name, default);

        // No renewal goes out from here on: as if the process were dead.
        await one.DisposeAsync();

        await LostAsync(lease);
        await using var next = await AcquireWhenFreeAsync(other, name);
        await next.UpdateAsync(Records("owner", "next"), [], default);
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => lease.UpdateAsync(Records("owner", "late"), [], default));
        Assert.Equal(ErrorKind.Busy, error.Kind);
        Assert.Equal("next", Text((await other.ReadAsync(name, default))["owner"]));
    }

    [Fact]
    public async Task A_lease_that_was_broken_is_not_silently_taken_again()
    {
        var name = CephFixture.NewName();
        await using var one = Store(ceph.Backup, Short);
        await using var lease = await one.AcquireAsync(name, default);

        Break(name);

        await LostAsync(lease);
        Assert.Null(await one.GetHolderAsync(name, default));
    }

    [Fact]
    public async Task An_update_after_the_lease_was_lost_changes_nothing_and_tells_of_the_loss()
    {
        var name = CephFixture.NewName();
        await using var store = Store(ceph.Backup);
        await using var lease = await store.AcquireAsync(name, default);
        await lease.UpdateAsync(Records("keep", "1"), [], default);
        Break(name);

        // The holder does not know yet: it is the OSD that refuses.
        Assert.False(lease.Lost.IsCancellationRequested);
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => lease.UpdateAsync(Records("keep", "2"), ["keep"], default));

        Assert.Equal(ErrorKind.Busy, error.Kind);
        Assert.IsType<CephException>(error.InnerException);
        Assert.True(lease.Lost.IsCancellationRequested);
        Assert.Equal("1", Text((await store.ReadAsync(name, default))["keep"]));
    }

    [Fact]
    public async Task Records_are_set_and_removed_together_and_read_back_however_many()
    {
        var name = CephFixture.NewName();
        await using var store = Store(ceph.Backup);
        Assert.Empty(await store.ReadAsync(name, default));
        await using var lease = await store.AcquireAsync(name, default);
        var many = Enumerable.Range(0, 1500).ToDictionary(i => $"job/{i:0000}", i => Encoding.UTF8.GetBytes($"{i}"));
        await lease.UpdateAsync(many, [], default);

        await lease.UpdateAsync(Records("empty", ""), ["job/0000", "not-there"], default);
        await store.WriteUnleasedAsync(name, "cancel", [0, 1, 0], default);

        var read = await store.ReadAsync(name, default);
        Assert.Equal(1501, read.Count);
        Assert.Equal("1499", Text(read["job/1499"]));
        Assert.Equal([0, 1, 0], read["cancel"]);
        Assert.Empty(read["empty"]);
        Assert.False(read.ContainsKey("job/0000"));
    }

    [Fact]
    public async Task All_objects_of_the_namespace_are_listed()
    {
        var names = Enumerable.Range(0, 5).Select(_ => CephFixture.NewName()).ToArray();
        await using var store = Store(ceph.Backup);
        foreach (var name in names)
        {
            await store.WriteUnleasedAsync(name, "k", [1], default);
        }

        var listed = new List<string>();
        await foreach (var name in store.ListAsync(default))
        {
            listed.Add(name);
        }

        Assert.Subset(listed.ToHashSet(), names.ToHashSet());
        Assert.Equal(listed.Count, listed.Distinct().Count());
    }

    [Fact]
    public async Task A_disposed_lease_can_be_disposed_again_and_not_used()
    {
        await using var store = Store(ceph.Backup);
        var lease = await store.AcquireAsync(CephFixture.NewName(), default);
        await lease.DisposeAsync();
        await lease.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => lease.UpdateAsync(Records("k", "v"), [], default));
    }

    private static RadosStateStore Store(CephCluster cluster, TimeSpan? duration = null) =>
        new(cluster, CephFixture.StatePool, CephFixture.StateNamespace, duration);

    private static Dictionary<string, byte[]> Records(string key, string value) => new() { [key] = Encoding.UTF8.GetBytes(value) };

    private static string Text(byte[] value) => Encoding.UTF8.GetString(value);

    private static async Task LostAsync(ILease lease)
    {
        var lost = new TaskCompletionSource();
        await using var _ = lease.Lost.Register(lost.SetResult);
        await lost.Task;
    }

    private static async Task<ILease> AcquireWhenFreeAsync(RadosStateStore store, string name)
    {
        while (true)
        {
            try
            {
                return await store.AcquireAsync(name, default);
            }
            catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
            {
            }
        }
    }

    /// <summary>What an administrator does with <c>rados lock break</c>.</summary>
    private void Break(string name)
    {
        using var ioctx = ceph.Restore.OpenPool(CephFixture.StatePool, CephFixture.StateNamespace);
        var cookie = ClsLock.FindCookie(ioctx, name, name)!;
        Assert.Equal(0, Native.Rados.rados_break_lock(ioctx, name, ClsLock.Name, $"client.{ceph.Backup.ClientId}", cookie));
    }
}
