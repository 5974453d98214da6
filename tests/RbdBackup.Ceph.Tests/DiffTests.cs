using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Ceph.Tests;

[Collection(nameof(CephCollection))]
public sealed class DiffTests(CephFixture ceph)
{
    private const int Mib = 1 << 20;
    private const long Size = 64L * Mib;

    [Fact]
    public async Task Without_a_from_snapshot_it_gives_what_was_written()
    {
        await using var test = await ceph.CreateImageAsync(Size);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 8 * Mib, 64 << 10, 1);
        await TestImage.FillAsync(image, (20 * Mib) + (128 << 10), 64 << 10, 1);

        Assert.Equal(
            [new Extent(8 * Mib, 64 << 10, true), new Extent(20 * Mib, 192 << 10, true)],
            await DiffAsync(image, null));
    }

    [Fact]
    public async Task From_a_snapshot_it_gives_changes_and_discards()
    {
        await using var test = await ceph.CreateImageAsync(Size);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 0, 12 * Mib, 1);
        var from = await image.CreateSnapshotAsync("from", default);
        await TestImage.FillAsync(image, 64 << 10, 64 << 10, 2);
        await image.WriteZeroesAsync(4 * Mib, 4 * Mib, default);

        Assert.Equal([new Extent(64 << 10, 64 << 10, true), new Extent(4 * Mib, 4 * Mib, false)], await DiffAsync(image, from));
    }

    [Fact]
    public async Task Whole_objects_are_whole()
    {
        await using var test = await ceph.CreateImageAsync(Size);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 0, 4 * Mib, 1);
        var from = await image.CreateSnapshotAsync("from", default);
        await TestImage.FillAsync(image, (8 * Mib) + 4096, 4096, 2);

        Assert.Equal([new Extent(8 * Mib, 4 * Mib, true)], await DiffAsync(image, from, wholeObject: true));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_range_within_an_object_gives_only_what_lies_in_it(bool wholeObject)
    {
        await using var test = await ceph.CreateImageAsync(Size);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 0, 12 * Mib, 1);
        var (offset, length) = ((4L * Mib) + 5000, 3000L);

        Assert.Equal([new Extent(offset, length, true)], await DiffAsync(image, null, wholeObject, offset, length));
        Assert.Empty(await DiffAsync(image, null, wholeObject, offset, 0));
        Assert.Empty(await DiffAsync(image, null, wholeObject, Size, 4 * Mib));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_size_that_is_no_whole_number_of_objects_ends_the_last_extent(bool wholeObject)
    {
        const long Odd = (9L * Mib) + 512;
        await using var test = await ceph.CreateImageAsync(Odd);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 8 * Mib, Mib + 512, 1);

        Assert.Equal([new Extent(8 * Mib, Mib + 512, true)], await DiffAsync(image, null, wholeObject));
    }

    [Fact]
    public async Task Extents_of_a_striped_image_come_in_order_of_offset()
    {
        var striped = CephFixture.UsualLayout with { Order = 20, StripeUnit = 64 << 10, StripeCount = 4 };
        await using var test = await ceph.CreateImageAsync(Size, striped);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 0, 16 * Mib, 1);

        var extents = await DiffAsync(image, null);

        Assert.Equal(16 * Mib, extents.Sum(e => e.Length));
        Assert.All(extents.Zip(extents.Skip(1)), pair => Assert.Equal(pair.First.End, pair.Second.Offset));
    }

    [Fact]
    public async Task A_clone_shows_its_parent_s_data_where_it_is_asked_to()
    {
        await using var parent = await ceph.CreateImageAsync(Size);
        await using (var image = await parent.OpenAsync())
        {
            await TestImage.FillAsync(image, 4 * Mib, 4 * Mib, 1);
            await image.CreateSnapshotAsync("golden", default);
        }

        var clone = parent.Spec.WithName(CephFixture.NewName());
        await Shell.RbdAsync("clone", "--rbd-default-clone-format", "2", $"{parent.Spec}@golden", clone.ToString());
        await using var test = new TestImage(ceph, clone);
        await using (var image = await test.OpenAsync())
        {
            Assert.Empty(await DiffAsync(image, null));
            Assert.Equal([new Extent(4 * Mib, 4 * Mib, true)], await DiffAsync(image, null, includeParent: true));
        }
    }

    [Fact]
    public async Task What_the_callback_throws_ends_the_iteration_and_is_thrown_on()
    {
        await using var test = await ceph.CreateImageAsync(Size);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 0, 32 * Mib, 1);
        var seen = 0;

        var error = await Assert.ThrowsAsync<InvalidDataException>(
            () => image.DiffAsync(null, 0, Size, false, false, _ => throw new InvalidDataException($"{++seen}"), default));

        Assert.Equal("1", error.Message);
        Assert.Equal(32 * Mib, (await DiffAsync(image, null)).Sum(e => e.Length));
    }

    [Fact]
    public async Task A_cancelled_token_ends_the_iteration_at_the_next_extent()
    {
        await using var test = await ceph.CreateImageAsync(Size);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 0, 32 * Mib, 1);
        using var cancel = new CancellationTokenSource();
        var seen = 0;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => image.DiffAsync(
            null, 0, Size, false, false, _ => { seen++; cancel.Cancel(); }, cancel.Token));

        Assert.Equal(1, seen);
    }

    [Fact]
    public async Task A_from_snapshot_that_is_gone_is_not_found()
    {
        await using var test = await ceph.CreateImageAsync(Size);
        await using var image = await test.OpenAsync();
        var from = await image.CreateSnapshotAsync("from", default);
        await image.RemoveSnapshotAsync(from, default);

        var error = await Assert.ThrowsAsync<CephException>(() => DiffAsync(image, from));

        Assert.Equal(ErrorKind.NotFound, error.Kind);
    }

    private static async Task<List<Extent>> DiffAsync(
        IImage image, ulong? from, bool wholeObject = false, long offset = 0, long length = Size, bool includeParent = false)
    {
        await image.FlushAsync(default);
        var extents = new List<Extent>();
        await image.DiffAsync(from, offset, length, includeParent, wholeObject, extents.Add, default);
        return extents;
    }
}
