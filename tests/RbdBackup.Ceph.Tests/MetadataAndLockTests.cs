using RbdBackup.Core.Model;

namespace RbdBackup.Ceph.Tests;

[Collection(nameof(CephCollection))]
public sealed class MetadataAndLockTests(CephFixture ceph)
{
    private const int Mib = 1 << 20;

    [Fact]
    public async Task Metadata_is_read_back_whatever_its_length_and_also_where_it_is_empty()
    {
        await using var test = await ceph.CreateImageAsync(Mib);
        await using var image = await test.OpenAsync();
        Assert.Empty(await image.GetMetadataAsync(default));
        var expected = new Dictionary<string, string>
        {
            ["empty"] = "",
            ["long"] = new string('x', 60_000),
            ["umlaut"] = "ä",
            ["zz-empty"] = "",
        };

        foreach (var (key, value) in expected)
        {
            await image.SetMetadataAsync(key, value, default);
        }

        Assert.Equal(expected, await image.GetMetadataAsync(default));
    }

    [Fact]
    public async Task Watchers_are_those_who_may_write_and_our_own_connection_is_known()
    {
        await using var test = await ceph.CreateImageAsync(Mib);
        await using var reader = await test.OpenAsync(writable: false);
        Assert.Empty(await reader.ListWatchersAsync(default));

        await using (await ceph.Backup.OpenAsync(test.Spec, writable: true, default))
        await using (await ceph.Restore.OpenAsync(test.Spec, writable: true, default))
        {
            var watchers = await reader.ListWatchersAsync(default);
            Assert.Equal(
                new[] { (ceph.Backup.ClientId, true), (ceph.Restore.ClientId, false) }.Order(),
                watchers.Select(w => (w.ClientId, w.Own)).Order());
        }

        Assert.Empty(await reader.ListWatchersAsync(default));
    }

    [Fact]
    public async Task The_exclusive_lock_keeps_every_other_writer_out_until_it_is_released()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        await using var holder = await ceph.Restore.OpenAsync(test.Spec, writable: true, default);
        await holder.AcquireLockAsync(default);
        await using (var other = await test.OpenAsync())
        {
            var write = await Assert.ThrowsAsync<CephException>(() => TestImage.FillAsync(other, 0, 512, 1));
            var acquire = await Assert.ThrowsAsync<CephException>(() => other.AcquireLockAsync(default));
            Assert.Equal((Native.Errno.EROFS, ErrorKind.Busy), (write.Errno, acquire.Kind));
            await TestImage.FillAsync(holder, 0, 512, 2);

            await holder.ReleaseLockAsync(default);
            await other.AcquireLockAsync(default);
            await TestImage.FillAsync(other, 0, 512, 3);
        }
    }

    [Fact]
    public async Task An_image_without_the_feature_can_t_be_locked_and_the_remedy_names_it()
    {
        await using var test = await ceph.CreateImageAsync(Mib, CephFixture.UsualLayout with { Features = 1 });
        await using var image = await test.OpenAsync();

        var error = await Assert.ThrowsAsync<CephException>(() => image.AcquireLockAsync(default));

        Assert.Contains("exclusive-lock", error.Remedy, StringComparison.Ordinal);
    }
}
