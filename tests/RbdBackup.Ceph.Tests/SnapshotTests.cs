using RbdBackup.Core.Model;

namespace RbdBackup.Ceph.Tests;

[Collection(nameof(CephCollection))]
public sealed class SnapshotTests(CephFixture ceph)
{
    private const int Mib = 1 << 20;

    [Fact]
    public async Task A_snapshot_is_listed_with_its_id_size_and_namespace_and_can_be_removed_twice()
    {
        await using var test = await ceph.CreateImageAsync(8 * Mib);
        await using var image = await test.OpenAsync();

        var first = await image.CreateSnapshotAsync("one", default);
        await image.ResizeAsync(12 * Mib, default);
        var second = await image.CreateSnapshotAsync("two", default);

        Assert.Equal(
            [
                new ImageSnapshot(first, "one", SnapshotNamespace.User, 8 * Mib, 0, false),
                new ImageSnapshot(second, "two", SnapshotNamespace.User, 12 * Mib, 0, false),
            ],
            (await image.GetInfoAsync(default)).Snapshots);
        await image.RemoveSnapshotAsync(first, default);
        await image.RemoveSnapshotAsync(first, default);
        Assert.Equal(second, Assert.Single((await image.GetInfoAsync(default)).Snapshots).Id);
    }

    [Fact]
    public async Task A_snapshot_of_a_name_that_is_taken_is_refused()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        await using var image = await test.OpenAsync();
        await image.CreateSnapshotAsync("same", default);

        var error = await Assert.ThrowsAsync<CephException>(() => image.CreateSnapshotAsync("same", default));

        Assert.Equal(ErrorKind.Refused, error.Kind);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_shown_snapshot_reads_as_it_was(bool writable)
    {
        await using var test = await ceph.CreateImageAsync(8 * Mib);
        await using var reader = await test.OpenAsync(writable);
        await using var writer = await test.OpenAsync();
        await TestImage.FillAsync(writer, 0, Mib, 1);
        var id = await writer.CreateSnapshotAsync("before", default);
        await TestImage.FillAsync(writer, 0, Mib, 2);
        await writer.ResizeAsync(16 * Mib, default);

        await reader.ShowSnapshotAsync(id, default);
        Assert.Equal(1, (await TestImage.ReadAsync(reader, 0, 512))[0]);
        Assert.Equal(8 * Mib, (await reader.GetInfoAsync(default)).Size);

        await reader.ShowSnapshotAsync(null, default);
        Assert.Equal(2, (await TestImage.ReadAsync(reader, 0, 512))[0]);
        Assert.Equal(16 * Mib, (await reader.GetInfoAsync(default)).Size);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_snapshot_removed_elsewhere_is_not_found(bool writable)
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        await using var writer = await test.OpenAsync();
        var id = await writer.CreateSnapshotAsync("gone", default);
        await using var reader = await test.OpenAsync(writable);
        await reader.ShowSnapshotAsync(id, default);

        await writer.RemoveSnapshotAsync(id, default);

        var error = await Assert.ThrowsAsync<CephException>(() => reader.GetInfoAsync(default));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains($"snapshot {id}", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<CephException>(() => reader.ShowSnapshotAsync(id, default));
    }

    [Fact]
    public async Task A_rollback_brings_back_bytes_and_size()
    {
        await using var test = await ceph.CreateImageAsync(8 * Mib);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 0, 8 * Mib, 1);
        var id = await image.CreateSnapshotAsync("then", default);
        await TestImage.FillAsync(image, 0, Mib, 2);
        await image.ResizeAsync(4 * Mib, default);

        await image.RollbackAsync(id, default);

        Assert.Equal(8 * Mib, (await image.GetInfoAsync(default)).Size);
        Assert.Equal(-1, (await TestImage.ReadAsync(image, 0, 8 * Mib)).AsSpan().IndexOfAnyExcept((byte)1));
    }

    [Fact]
    public async Task A_snapshot_made_by_a_live_owner_of_the_lock_has_its_id_at_once()
    {
        await using var test = await ceph.CreateImageAsync(8 * Mib);
        await using var owner = await ceph.Restore.OpenAsync(test.Spec, writable: true, default);
        await TestImage.FillAsync(owner, 0, Mib, 1);
        await using var image = await test.OpenAsync();

        for (var i = 0; i < 5; i++)
        {
            var id = await image.CreateSnapshotAsync($"s{i}", default);
            Assert.Contains((await owner.GetInfoAsync(default)).Snapshots, s => s.Id == id && s.Name == $"s{i}");
        }
    }
}
