namespace RbdBackup.Ceph.Tests;

[Collection(nameof(CephCollection))]
public sealed class ImageIoTests(CephFixture ceph)
{
    private const int Mib = 1 << 20;

    [Fact]
    public async Task Sixty_four_reads_in_flight_give_each_its_own_bytes()
    {
        await using var test = await ceph.CreateImageAsync(64 * Mib);
        await using var image = await test.OpenAsync();
        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => TestImage.FillAsync(image, (long)i * Mib, Mib, (byte)(i + 1))));
        await image.FlushAsync(default);

        var read = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => TestImage.ReadAsync(image, (long)i * Mib, Mib)));

        Assert.All(read, (data, i) => Assert.Equal(-1, data.AsSpan().IndexOfAnyExcept((byte)(i + 1))));
    }

    [Fact]
    public async Task Write_zeroes_zeroes_exactly_its_range_whatever_the_alignment()
    {
        await using var test = await ceph.CreateImageAsync(16 * Mib);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 0, 8 * Mib, 7);

        await image.WriteZeroesAsync(5000, (4 * Mib) + 123, default);

        var data = await TestImage.ReadAsync(image, 0, 8 * Mib);
        var end = 5000 + (4 * Mib) + 123;
        Assert.Equal(-1, data.AsSpan(0, 5000).IndexOfAnyExcept((byte)7));
        Assert.Equal(-1, data.AsSpan(5000, end - 5000).IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, data.AsSpan(end).IndexOfAnyExcept((byte)7));
    }

    [Fact]
    public async Task Write_zeroes_of_more_than_one_call_reaches_the_end()
    {
        const long Size = 600L * Mib;
        await using var test = await ceph.CreateImageAsync(Size);
        await using var image = await test.OpenAsync();
        await TestImage.FillAsync(image, Size - 4096, 4096, 7);

        await image.WriteZeroesAsync(0, Size, default);

        Assert.All(await TestImage.ReadAsync(image, Size - 4096, 4096), b => Assert.Equal(0, b));
    }

    [Fact]
    public async Task A_read_behind_the_end_is_an_error_and_not_zeros()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        await using var image = await test.OpenAsync();

        var partly = await Assert.ThrowsAsync<CephException>(() => TestImage.ReadAsync(image, (4 * Mib) - 512, 1024));
        await Assert.ThrowsAsync<CephException>(() => TestImage.ReadAsync(image, 8 * Mib, 512));

        Assert.Contains(test.Spec.ToString(), partly.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_read_only_handle_refuses_to_write()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        await using var image = await test.OpenAsync(writable: false);

        var error = await Assert.ThrowsAsync<CephException>(() => TestImage.FillAsync(image, 0, 512, 1));

        Assert.Equal("rbd_aio_write", error.Call);
    }

    [Fact]
    public async Task A_cancelled_token_ends_a_call_before_it_is_sent()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        await using var image = await test.OpenAsync();
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await image.ReadAsync(0, new byte[512], cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await image.WriteAsync(0, new byte[512], cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await image.WriteZeroesAsync(0, 512, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => image.GetInfoAsync(cancelled));
    }

    [Fact]
    public async Task Reads_in_flight_end_well_when_the_image_is_disposed_under_them()
    {
        await using var test = await ceph.CreateImageAsync(64 * Mib);
        var image = await test.OpenAsync();
        await TestImage.FillAsync(image, 0, 64 * Mib, 3);
        var reads = Enumerable.Range(0, 16).Select(i => TestImage.ReadAsync(image, (long)i * 4 * Mib, 4 * Mib)).ToArray();

        await image.DisposeAsync();

        Assert.All(await Task.WhenAll(reads), data => Assert.Equal(3, data[^1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => TestImage.ReadAsync(image, 0, 512));
    }

    [Fact]
    public async Task Every_call_on_a_disposed_image_says_so()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        var image = await test.OpenAsync();
        await image.DisposeAsync();
        await image.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => image.GetInfoAsync(default));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => image.ShowSnapshotAsync(null, default));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => image.CreateSnapshotAsync("s", default));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => image.DiffAsync(null, 0, 4 * Mib, false, false, _ => { }, default));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => image.GetMetadataAsync(default));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await image.FlushAsync(default));
    }

    [Fact]
    public async Task An_image_outlives_its_cluster_s_disposal_until_it_is_disposed_itself()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        var cluster = await CephCluster.ConnectAsync(CephFixture.BackupOptions with { CallDeadline = TimeSpan.FromSeconds(1) }, default);
        await using (var image = await cluster.OpenAsync(test.Spec, writable: true, default))
        {
            await cluster.DisposeAsync();
            await TestImage.FillAsync(image, 0, 512, 9);
            Assert.Equal(9, (await TestImage.ReadAsync(image, 0, 512))[511]);
        }

        await Assert.ThrowsAsync<ObjectDisposedException>(() => cluster.OpenAsync(test.Spec, writable: false, default));
    }
}
