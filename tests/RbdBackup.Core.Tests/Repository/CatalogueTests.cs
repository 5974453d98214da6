using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Repository;

/// <summary>Whatever happens to a catalogue, a list shows what the manifests say.</summary>
public sealed class CatalogueTests : IAsyncLifetime
{
    private readonly List<TestRepository> _repositories = [];

    private static CancellationToken None => CancellationToken.None;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var test in _repositories)
        {
            await test.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData(TestRepository.Secret)]
    public async Task With_a_catalogue_no_manifest_is_read_and_all_are_shown_as_they_are(string? secret)
    {
        var test = await MakeAsync(3, 4, secret);
        Assert.Equal((12, 12), await ReadsAsync(test));
        await test.Repository.CatalogueAsync();
        Assert.Equal((12, 0), await ReadsAsync(test));
        var again = await test.OpenAgainAsync(secret);
        Assert.Equal(4, await new Catalogue(again).ReadAsync(e => throw e, None, k => k.Disk == TestRepository.Disk("disk-1").Key).CountAsync(c => c.IsCopy));
        Assert.DoesNotContain(await test.KeysAsync(Keys.CataloguePrefix), k => secret is not null && File.ReadAllText(Path.Combine(test.Folder, k)).Contains("disk-1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_part_is_lines_of_key_and_manifest_that_zcat_shows()
    {
        var test = await MakeAsync(2, 2);
        await test.Repository.CatalogueAsync();
        var part = (await test.KeysAsync(Keys.CataloguePrefix)).Single(k => Keys.TryParseCatalogue(k) is { IsDirectory: false });
        await using var plain = new GZipStream(File.OpenRead(Path.Combine(test.Folder, part)), CompressionMode.Decompress);
        using var reader = new StreamReader(plain, Encoding.ASCII);
        var manifests = (await test.KeysAsync(Keys.PointsPrefix)).Select(k => $"{k} {File.ReadAllText(Path.Combine(test.Folder, k))}");
        Assert.Equal(string.Concat(manifests), await reader.ReadToEndAsync());
    }

    [Fact]
    public async Task What_came_later_is_read_and_what_went_is_not_shown()
    {
        var test = await MakeAsync(2, 3);
        await test.Repository.CatalogueAsync();
        var points = await test.Repository.ReadDiskAsync(TestRepository.Disk("disk-0").Key, null, None);
        await test.AddAsync([], [], points[^1], points[0].Disk);
        Assert.Equal((7, 1), await ReadsAsync(test));
        await new Consolidator(test.Repository).ConsolidateAsync(points[1], IProgressReporter.None, None);
        Assert.Equal((7, 2), await ReadsAsync(test));
        await new PointRemover(test.Repository, new Consolidator(test.Repository)).RemoveAsync([points[0]], points, IProgressReporter.None, None);
        Assert.Equal((6, 2), await ReadsAsync(test));
        await test.Repository.AbortAsync(points[2].Disk.Key, points[2].Point, None);
        Assert.Equal((5, 2), await ReadsAsync(test));
        await test.Repository.CatalogueAsync();
        Assert.Equal((5, 0), await ReadsAsync(test));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(TestRepository.Secret)]
    public async Task A_flipped_bit_or_a_cut_costs_reads_and_nothing_else(string? secret)
    {
        var test = await MakeAsync(2, 2, secret);
        await test.Repository.CatalogueAsync();
        foreach (var key in await test.KeysAsync(Keys.CataloguePrefix))
        {
            var path = Path.Combine(test.Folder, key);
            var good = await File.ReadAllBytesAsync(path);
            for (var at = 0; at < good.Length; at += 3)
            {
                test.Store.Flip(key, at, at % 8);
                await ShownAsync(test);
            }

            test.Store.OnRead = (_, _, _) => { };
            foreach (var length in (int[])[0, 1, good.Length / 2, good.Length - 1])
            {
                // All copies may be there where only the last bytes lack, which prove them.
                await File.WriteAllBytesAsync(path, good[..length]);
                var (points, reads) = await ReadsAsync(test);
                Assert.Equal((4, true), (points, reads > 0 || length == good.Length - 1));
            }

            await File.WriteAllBytesAsync(path, good);
        }

        foreach (var key in await test.KeysAsync(Keys.CataloguePrefix))
        {
            File.Delete(Path.Combine(test.Folder, key));
            Assert.Equal((4, 4), await ReadsAsync(test));
        }
    }

    [Fact]
    public async Task Copies_that_were_changed_or_are_another_manifests_are_not_believed()
    {
        var test = await MakeAsync(1, 3);
        await test.Repository.CatalogueAsync();
        var part = Path.Combine(test.Folder, (await test.KeysAsync(Keys.CataloguePrefix)).Single(k => Keys.TryParseCatalogue(k) is { IsDirectory: false }));
        var lines = Encoding.ASCII.GetString(Unzip(await File.ReadAllBytesAsync(part))).Split('\n');
        var (keys, manifests) = (lines[..3].Select(l => l.Split(' ', 2)[0]).ToList(), lines[..3].Select(l => l.Split(' ', 2)[1]).ToList());
        foreach (var forged in (string[])
        [
            $"{keys[0]} {manifests[0].Replace("a test", "a lie.", StringComparison.Ordinal)}\n{keys[1]} {manifests[2]}\n{keys[2]} {manifests[1]}\n",
            $"{keys[2]} {manifests[2]}\n{keys[1]} {manifests[1]}\n{keys[0]} {manifests[0]}\n",
            $"no blank\n{keys[0]}\n \n{keys[1]} {manifests[1][..^1]}\n{keys[2]} {{}}",
            "\n\n\n",
        ])
        {
            await File.WriteAllBytesAsync(part, Zip(Encoding.ASCII.GetBytes(forged)));
            Assert.True((await ReadsAsync(test)).Reads >= 2, forged);
        }

        // What would fill the memory is cut off.
        await File.WriteAllBytesAsync(part, Zip(new byte[64 << 20]));
        Assert.Equal((3, 3), await ReadsAsync(test));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(TestRepository.Secret)]
    public async Task Another_repositorys_catalogue_is_of_no_use_and_does_no_harm(string? secret)
    {
        var (test, other) = (await MakeAsync(2, 2, secret), await MakeAsync(2, 3, secret));
        await other.Repository.CatalogueAsync();
        Directory.CreateDirectory(Path.Combine(test.Folder, "catalogue"));
        foreach (var key in await other.KeysAsync(Keys.CataloguePrefix))
        {
            File.Copy(Path.Combine(other.Folder, key), Path.Combine(test.Folder, key));
        }

        Assert.Equal((4, 4), await ReadsAsync(test));
        await test.Repository.CatalogueAsync();
        Assert.Equal((4, 0), await ReadsAsync(test));
    }

    [Fact]
    public async Task Who_may_not_read_it_reads_the_manifests()
    {
        var test = await MakeAsync(2, 2);
        await test.Repository.CatalogueAsync();
        test.Store.OnRead = (key, _, _) => _ = key.StartsWith(Keys.CataloguePrefix, StringComparison.Ordinal) ? throw new RbdBackupException(ErrorKind.Permission, "no") : 0;
        Assert.Equal(4, await new Catalogue(test.Repository).ReadAsync(e => throw e, None).CountAsync(c => !c.IsCopy));
    }

    [Fact]
    public async Task A_manifest_that_was_cut_off_is_told_of_whatever_its_copy_says()
    {
        var test = await MakeAsync(1, 2);
        await test.Repository.CatalogueAsync();
        var path = Path.Combine(test.Folder, (await test.KeysAsync(Keys.PointsPrefix))[0]);
        await File.WriteAllBytesAsync(path, (await File.ReadAllBytesAsync(path))[..^2]);
        var damages = new List<RbdBackupException>();
        Assert.Single(await new Catalogue(test.Repository).ReadAsync(damages.Add, None).ToListAsync());
        Assert.Single(damages);
    }

    [Fact]
    public async Task A_writer_that_was_killed_leaves_the_older_catalogue_in_force_and_a_collection_clears_up()
    {
        var options = new GarbageOptions(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
        var test = await MakeAsync(2, 2);
        test.Time.Now = DateTimeOffset.UtcNow;
        await test.Repository.CatalogueAsync();
        test.Store.DieAt(2);
        await Assert.ThrowsAsync<KilledException>(() => test.Repository.CatalogueAsync());
        test.Store.OnChange = _ => { };
        Assert.Equal(3, (await test.KeysAsync(Keys.CataloguePrefix)).Count);
        Assert.Equal((4, 0), await ReadsAsync(test));

        await test.Repository.CatalogueAsync();
        var newest = await new Catalogue(test.Repository).FindNewestAsync(None);
        Task CollectAsync() => new GarbageCollector(test.Repository, options, test.Time).RunAsync(false, IProgressReporter.None, None);
        await CollectAsync();
        Assert.Equal(5, (await test.KeysAsync(Keys.CataloguePrefix)).Count);
        test.Time.Now += TimeSpan.FromDays(3);
        await CollectAsync();
        var left = await test.KeysAsync(Keys.CataloguePrefix);
        Assert.Equal((2, true), (left.Count, left.Contains(newest!)));
        Assert.Equal((4, 0), await ReadsAsync(test));
    }

    [Fact]
    public async Task A_clock_that_went_back_puts_no_catalogue_behind_an_older_one()
    {
        var test = await MakeAsync(1, 2);
        await test.Repository.CatalogueAsync();
        await test.AddAsync([], [], null, TestRepository.Disk("disk-9"));
        test.Time.Now -= TimeSpan.FromDays(100);
        await test.Repository.CatalogueAsync();
        Assert.Equal((3, 0), await ReadsAsync(test));
    }

    [Fact]
    public async Task Commits_and_several_writers_at_once_lose_nothing()
    {
        var test = await MakeAsync(2, 3);
        var drafts = new List<Manifest>();
        for (var n = 0; n < 40; n++)
        {
            drafts.Add(await test.DraftAsync([], [], null, TestRepository.Disk($"disk-{n % 5}")));
        }

        var commits = Parallel.ForEachAsync(drafts, async (draft, cancel) => await test.Repository.CommitAsync(draft, cancel));
        await Parallel.ForEachAsync(Enumerable.Range(0, 12), async (_, cancel) =>
        {
            await test.Repository.CatalogueAsync();
            await new Catalogue(test.Repository).ReadAsync(e => throw e, cancel).CountAsync(cancel);
        });
        await commits;
        Assert.Equal(46, (await ReadsAsync(test)).Points);
        await test.Repository.CatalogueAsync();
        Assert.Equal((46, 0), await ReadsAsync(test));
    }

    [Fact]
    public async Task Listing_a_repository_with_a_catalogue_takes_four_requests_however_many_disks_there_are()
    {
        foreach (var disks in (int[])[2, 20])
        {
            var test = await MakeAsync(disks, 3);
            await test.Repository.CatalogueAsync();
            var before = test.Store.Requests;
            Assert.Equal(disks * 3, await new Catalogue(test.Repository).ReadAsync(e => throw e, None).CountAsync());
            Assert.Equal(4, test.Store.Requests - before);
        }
    }

    private async Task<TestRepository> MakeAsync(int disks, int points, string? secret = null)
    {
        var test = await TestRepository.OpenAsync(secret: secret);
        _repositories.Add(test);
        for (var disk = 0; disk < disks; disk++)
        {
            Manifest? below = null;
            for (var n = 0; n < points; n++)
            {
                below = await test.AddAsync([], [], below, TestRepository.Disk($"disk-{disk}"));
            }
        }

        return test;
    }

    /// <summary>How many points are shown, all as their manifests are, and how many manifests were read for it.</summary>
    private static async Task<(int Points, int Reads)> ReadsAsync(TestRepository test)
    {
        var reads = new ConcurrentBag<string>();
        test.Store.OnRead = (key, _, _) => reads.Add(key);
        var shown = await ShownAsync(test, () => test.Store.OnRead = (_, _, _) => { });
        return (shown, reads.Count(k => k.StartsWith(Keys.PointsPrefix, StringComparison.Ordinal)));
    }

    private static async Task<int> ShownAsync(TestRepository test, Action? read = null)
    {
        var shown = await new Catalogue(test.Repository).ReadAsync(e => throw e, None).ToListAsync();
        read?.Invoke();
        var real = await test.Repository.ReadAllAsync(Keys.PointsPrefix, e => throw e, None).ToListAsync();
        Assert.Equal(real.Select(ManifestCodec.Write), shown.Select(c => ManifestCodec.Write(c.Point)));
        return shown.Count;
    }

    private static byte[] Zip(byte[] plain)
    {
        using var output = new MemoryStream();
        using (var zip = new GZipStream(output, CompressionLevel.Fastest))
        {
            zip.Write(plain);
        }

        return output.ToArray();
    }

    private static byte[] Unzip(byte[] zipped)
    {
        using var output = new MemoryStream();
        using var zip = new GZipStream(new MemoryStream(zipped), CompressionMode.Decompress);
        zip.CopyTo(output);
        return output.ToArray();
    }
}

internal static class CatalogueWriting
{
    public static Task CatalogueAsync(this PointRepository repository) => new Catalogue(repository).WriteAsync(CancellationToken.None);
}
