using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Tests;
using RbdBackup.Stores;

namespace RbdBackup.Tests.Scale;

/// <summary>Repositories of many disks with many points: real manifests, references, plans and indexes, and of each point one tiny segment.</summary>
internal static class GeneratedRepository
{
    private const int DisksAtATime = 16;

    /// <summary>
    /// Makes one of a point a day, the last one now; each disk is one full and increments for ever. Where disks have points already, those that lack are added.
    /// </summary>
    public static async Task MakeAsync(IObjectStore store, int disks, int points, DateTimeOffset now, string policy = "daily")
    {
        await using var borrowed = new BorrowedStore(store);
        var there = new Dictionary<string, (Manifest Newest, int Count)>();
        await using (var first = await TestRepository.OpenAsync(store: borrowed))
        {
            var counts = await first.Repository.ListAsync(Keys.PointsPrefix, CancellationToken.None).CountBy(k => k.Disk).ToDictionaryAsync(d => d.Key, d => d.Value);
            await foreach (var newest in first.Repository.ReadNewestAsync(CancellationToken.None))
            {
                there[newest.Disk.Key] = (newest, counts[newest.Disk.Key]);
            }
        }

        await Parallel.ForEachAsync(Enumerable.Range(0, disks), new ParallelOptions { MaxDegreeOfParallelism = DisksAtATime }, async (disk, _) =>
        {
            await using var test = await TestRepository.OpenAsync(store: borrowed);
            var image = new byte[4096];
            var (below, count) = there.GetValueOrDefault(TestRepository.Disk(Name(disk)).Key);
            for (var n = points - 1 - count; n >= 0; n--)
            {
                new Random((disk * points) + n).NextBytes(image);
                test.Time.Now = now.AddDays(-n);
                below = await test.AddAsync(image, [new Extent(0, image.Length, true)], below, TestRepository.Disk(Name(disk)), policy: policy);
            }
        });
    }

    private static string Name(int disk) => $"disk-{disk:D6}";

    /// <summary>The store at a URL; a folder is written without the syncs that make a store slow and durable.</summary>
    public static IObjectStore Open(string url) => url.StartsWith("file://", StringComparison.Ordinal)
        ? new QuickFolder(new Uri(url).LocalPath)
        : StoreFactory.Open(url, new StoreOptions { S3 = new S3Options { Endpoint = Environment.GetEnvironmentVariable("RBDBACKUP_TEST_S3_URL") } });

    /// <summary>A store that stays open when its borrower is done.</summary>
    private class BorrowedStore(IObjectStore inner) : IObjectStore
    {
        public string Url => inner.Url;

        public Task CheckAsync(CancellationToken cancel) => inner.CheckAsync(cancel);

        public virtual Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel) => inner.PutAsync(key, content, cancel);

        public Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel) => inner.GetAsync(key, maxLength, cancel);

        public Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel) => inner.GetRangeAsync(key, offset, destination, cancel);

        public Task<StoredObject?> StatAsync(string key, CancellationToken cancel) => inner.StatAsync(key, cancel);

        public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancel) => inner.ListAsync(prefix, cancel);

        public Task DeleteAsync(string key, CancellationToken cancel) => inner.DeleteAsync(key, cancel);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class QuickFolder(string folder) : BorrowedStore(new FolderStore(folder, TimeProvider.System))
    {
        public override Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
        {
            var path = Path.Combine(folder, key);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return File.WriteAllBytesAsync(path, content.ToArray(), cancel);
        }
    }
}
