using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Tests.Diff;

namespace RbdBackup.Core.Tests.Repository;

/// <summary>Whole points and chains of them, judged by a model: the image in an array.</summary>
public sealed class ChainTests
{
    [Theory]
    [InlineData("none", 0)]
    [InlineData("none", 1)]
    [InlineData("none", 2)]
    [InlineData("none", 3)]
    [InlineData("zstd:3", 4)]
    [InlineData("zstd:3", 5)]
    [InlineData("zstd:3", 6)]
    [InlineData("zstd:3", 7)]
    public async Task Every_point_of_a_chain_gives_the_image_back(string codec, int seed)
    {
        await using var test = await TestRepository.OpenAsync(codec);
        using var second = new SecondReader(test.Folder);
        var random = new Random(seed);
        var (image, replayed, below) = (Array.Empty<byte>(), Array.Empty<byte>(), (Manifest?)null);
        for (var n = 0; n < 5; n++)
        {
            var next = n == 0 ? Images.Random(random, random.Next(1, 600) * 1000) : Images.Changed(random, image);
            var point = await test.AddAsync(next, Images.Difference(image, next), below, cut: new CutParameters(random.Next(2, 6) * 20_000, 20_000, 4096));
            replayed = await Images.ApplyAsync(replayed, await test.ExportAsync(point));
            AssertSame(next, replayed);
            AssertSame(next, await Images.ApplyAsync([], await test.ExportFullAsync(point)));
            AssertSame(next, second.ReadImage(Keys.Manifest(point.Disk.Key, point.Point, 1, point.Attempt, point.Kind, point.StoredBytes)));
            (image, below) = (next, point);
        }
    }

    [Fact]
    public async Task An_image_larger_than_a_window_is_read_in_order()
    {
        await using var test = await TestRepository.OpenAsync("zstd:1");
        const int size = (int)ChainReader.WindowBytes + (3 << 20);
        var image = new byte[size];
        image.AsSpan((int)ChainReader.WindowBytes - 50_000, 100_000).Fill(7);
        var full = await test.AddAsync(image, [new Extent(ChainReader.WindowBytes - 60_000, 120_000, true)]);
        var changed = image.ToArray();
        changed.AsSpan((int)ChainReader.WindowBytes - 10_000, 20_000).Clear();
        changed[^1] = 9;
        var increment = await test.AddAsync(changed, [new Extent(ChainReader.WindowBytes - 10_000, 20_000, false), new Extent(size - 512, 512, true)], full);
        AssertSame(changed, await Images.ApplyAsync([], await test.ExportFullAsync(increment)));
    }

    [Fact]
    public async Task Many_small_extents_over_several_index_pages_come_back()
    {
        await using var test = await TestRepository.OpenAsync();
        var image = Images.Random(new Random(8), 12_000_000);
        var full = await test.AddAsync(image, [new Extent(0, image.Length, true)]);
        var changed = image.ToArray();
        var extents = new List<Extent>();
        for (var at = 0; at < image.Length; at += 1024)
        {
            changed[at + 100] ^= 0x55;
            extents.Add(new Extent(at, 512, true));
        }

        var increment = await test.AddAsync(changed, extents, full);
        Assert.True((await test.Repository.ReadIndexAsync(increment, CancellationToken.None)).Pages.Count > 1);
        AssertSame(changed, await Images.ApplyAsync([], await test.ExportFullAsync(increment)));
        AssertSame(changed, await Images.ApplyAsync(image, await test.ExportAsync(increment)));
    }

    [Fact]
    public async Task Two_frames_of_a_segment_that_changed_places_are_found()
    {
        await using var test = await TestRepository.OpenAsync();
        var image = new byte[64 << 10];
        new Random(2).NextBytes(image);
        var point = await test.AddAsync(image, [new Extent(0, image.Length, true)]);
        var file = Path.Combine(test.Folder, (await test.Repository.ReadIndexAsync(point, CancellationToken.None)).Segments[0].Keys.First());
        var bytes = await File.ReadAllBytesAsync(file);
        var stored = (await new SegmentStore(test.Repository, point.Point, point.Attempt, point.Plan).FindAsync(CancellationToken.None))[0];
        var (a, b) = (stored.Frames[1], stored.Frames[2]);
        Assert.Equal(a.Length, b.Length);
        byte[] swapped = [.. bytes[..(int)a.Offset], .. bytes[(int)b.Offset..(int)(b.Offset + b.Length)], .. bytes[(int)a.Offset..(int)b.Offset], .. bytes[(int)(b.Offset + b.Length)..]];
        Assert.Equal(bytes.Length, swapped.Length);
        await File.WriteAllBytesAsync(file, swapped);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => test.ExportAsync(point))).Kind);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => test.ExportFullAsync(point))).Kind);
    }

    [Fact]
    public async Task A_flipped_bit_anywhere_is_found_or_changes_nothing()
    {
        await using var test = await TestRepository.OpenAsync("zstd:3");
        var random = new Random(11);
        var before = Images.Random(random, 200_000);
        var after = Images.Changed(random, before);
        var full = await test.AddAsync(before, Images.Difference([], before));
        var point = await test.AddAsync(after, Images.Difference(before, after), full);
        var (exported, whole) = (await test.ExportAsync(point), await test.ExportFullAsync(point));
        var found = 0;
        foreach (var stored in await test.Store.ListAsync("", CancellationToken.None).ToListAsync())
        {
            for (var i = 0; i < 50; i++)
            {
                test.Store.Flip(stored.Key, random.NextInt64(stored.Length), random.Next(8));
                try
                {
                    var read = await test.Repository.FindAsync(point.Point, CancellationToken.None);
                    Assert.Equal(exported, await test.ExportAsync(read));
                    Assert.Equal(whole, await test.ExportFullAsync(read));
                }
                catch (RbdBackupException e)
                {
                    Assert.Equal(ErrorKind.Corrupt, e.Kind);
                    found++;
                }
            }
        }

        Assert.True(found > 100, $"{found} were found");
    }

    [Theory]
    [InlineData("none")]
    [InlineData("zstd:3")]
    public async Task Segments_through_cat_and_zstd_are_the_point_as_an_rbd_diff(string codec)
    {
        await using var test = await TestRepository.OpenAsync(codec);
        var random = new Random(12);
        var before = Images.Random(random, 500_000);
        var after = Images.Changed(random, before);
        var full = await test.AddAsync(before, Images.Difference([], before));
        var unchanged = await test.AddAsync(before, [], full);
        var increment = await test.AddAsync(after, Images.Difference(before, after), unchanged);
        var image = Array.Empty<byte>();
        foreach (var point in new[] { full, unchanged, increment })
        {
            var stream = await ZstdAsync(test, point);
            Assert.Equal(await test.ExportAsync(point), stream);
            image = await Images.ApplyAsync(image, stream);
        }

        Assert.Equal(after, image);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("zstd:3")]
    public async Task Segments_of_two_attempts_at_one_plan_make_one_point(string codec)
    {
        await using var test = await TestRepository.OpenAsync(codec);
        var image = new byte[400_000];
        new Random(13).NextBytes(image);
        Extent[] extents = [new(0, image.Length, true)];
        var head = test.Head(image.Length);
        var (dead, second) = (AttemptId.New(), AttemptId.New());
        var plan = await test.PutPlanAsync(head, extents, dead);
        foreach (var stored in await test.PutSegmentsAsync(image, extents, head, dead, plan))
        {
            if (stored.Number % 3 == 1)
            {
                await test.Store.DeleteAsync(Keys.Segment(head.Point, stored.Number, dead), CancellationToken.None);
            }
        }

        var adopted = await new SegmentStore(test.Repository, head.Point, second, plan).FindAsync(CancellationToken.None);
        var made = await test.PutSegmentsAsync(image, extents, head, second, plan);
        foreach (var number in adopted.Keys)
        {
            await test.Store.DeleteAsync(Keys.Segment(head.Point, number, second), CancellationToken.None);
        }

        var point = await test.FinishAsync(head, extents, second, plan, [.. made.Select(m => adopted.GetValueOrDefault(m.Number, m))]);
        await test.Repository.CommitAsync(point, CancellationToken.None);
        Assert.Contains((await test.Repository.ReadReferencesAsync(point, CancellationToken.None)).Segments, r => r.Attempt == dead);
        var exported = await test.ExportAsync(point);
        AssertSame(image, await Images.ApplyAsync([], exported));
        AssertSame(image, await Images.ApplyAsync([], await test.ExportFullAsync(point)));
        Assert.Equal(exported, await ZstdAsync(test, point));
    }

    private static Task<byte[]> ZstdAsync(TestRepository test, Manifest point) =>
        Tool.RunAsync("sh", ["-c", "cat \"$1\"/[0-9]* | zstd -dc", "sh", Path.Combine(test.Folder, Keys.PointData(point.Point))], default);

    private static void AssertSame(byte[] expected, byte[] actual) => Assert.True(expected.AsSpan().SequenceEqual(actual));
}
