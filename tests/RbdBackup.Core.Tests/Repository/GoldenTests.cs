using System.Security.Cryptography;
using System.Text.Json;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Sealing;
using RbdBackup.Core.Servers;
using RbdBackup.Core.Tests.Servers;
using RbdBackup.Stores;
using RbdBackup.Zstd;

namespace RbdBackup.Core.Tests.Repository;

/// <summary>
/// Repositories that earlier versions wrote, one for each change of the format, in Golden/: they must be read for ever. <c>images.json</c> has each point's
/// image, <c>key</c> the secret of a sealed one. A new one is written with RBDBACKUP_GOLDEN=folder and never again.
/// </summary>
public sealed class GoldenTests
{
    public static TheoryData<string> Names =>
        [.. Directory.GetDirectories(Root).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    private static string Root => Path.Combine(AppContext.BaseDirectory, "Golden");

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Every_point_of_an_old_repository_is_read(string name)
    {
        var folder = Path.Combine(Root, name);
        await using var store = new FolderStore(folder, TimeProvider.System);
        using var codec = CodecFactory.Create("none");
        var keyFile = Path.Combine(folder, "key");
        var secret = File.Exists(keyFile) ? await File.ReadAllTextAsync(keyFile) : null;
        using var second = new SecondReader(folder, secret);
        var repository = await PointRepository.OpenAsync(
            store, codec, TimeProvider.System, secret is null ? null : RepositorySecret.Parse(secret, keyFile), create: false, CancellationToken.None);
        var images = JsonSerializer.Deserialize<Dictionary<string, string>>(await File.ReadAllBytesAsync(Path.Combine(folder, "images.json")))!;
        var read = 0;
        await foreach (var point in repository.ReadAllAsync(Keys.PointsPrefix, e => throw e, CancellationToken.None))
        {
            using var output = new MemoryStream();
            var chain = await repository.ReadChainAsync(point, CancellationToken.None);
            await new PointStream(repository).ExportFullAsync(chain, output, IProgressReporter.None, CancellationToken.None);
            Assert.Equal(images[point.Point.ToString()], Digest(await Images.ApplyAsync([], output.ToArray())));
            Assert.Equal(
                images[point.Point.ToString()],
                Digest(second.ReadImage(Keys.Manifest(point.Disk.Key, point.Point, point.Revision, point.Attempt, point.Kind, point.StoredBytes))));
            read++;
        }

        Assert.Equal(images.Count, read);
        var listed = await new Catalogue(repository).ReadAsync(e => throw e, CancellationToken.None).ToListAsync();
        Assert.Equal(images.Keys.Order(StringComparer.Ordinal), listed.Select(c => c.Point.Point.ToString()).Order(StringComparer.Ordinal));
        Assert.All(listed, c => Assert.Equal(name.StartsWith("catalogue", StringComparison.Ordinal), c.IsCopy));
        var servers = await new ServerPointStore(repository).ReadAllAsync(null, e => throw e, CancellationToken.None).ToListAsync();
        Assert.Equal(name.Contains("server-points", StringComparison.Ordinal) ? 1 : 0, servers.Count);
        Assert.All(servers.SelectMany(s => s.Disks), d => Assert.Equal(servers[0].Id, listed.Single(c => c.Point.Point == d.Point).Point.ServerPoint!.Id));
    }

    [Theory]
    [InlineData("none", null)]
    [InlineData("zstd:3", null)]
    [InlineData("zstd:3", TestRepository.Secret)]
    [InlineData("zstd:3", "a passphrase of a golden repository")]
    public async Task The_present_format_can_be_kept_as_a_golden_repository(string codec, string? secret)
    {
        await using var test = await TestRepository.OpenAsync(codec, secret: secret);
        var images = new Dictionary<string, string>();
        var image = new byte[150_000];
        new Random(1).NextBytes(image.AsSpan(10_000, 40_000));
        image.AsSpan(60_000, 50_000).Fill(0x5A);
        var full = await test.AddAsync(image, Images.Difference([], image));
        images[full.Point.ToString()] = Digest(image);

        // Zeros inside an extent, a discard, and growth.
        var written = new byte[170_000];
        image.CopyTo(written, 0);
        written.AsSpan(20_480, 12_288).Clear();
        written.AsSpan(20_480, 512).Fill(1);
        written.AsSpan(65_536, 8_192).Clear();
        written.AsSpan(160_000, 5_000).Fill(2);
        var first = await test.AddAsync(written, [new Extent(20_480, 12_288, true), new Extent(65_536, 8_192, false), new Extent(159_744, 5_632, true)], full);
        images[first.Point.ToString()] = Digest(written);

        var changed = written.ToArray();
        new Random(2).NextBytes(changed.AsSpan(45_056, 30_000));
        changed.AsSpan(160_256, 512).Clear();
        var reference = new ServerPointReference(PointId.New(test.Time.Now), SampleServerPoint.Server);
        var second = await test.DraftAsync(changed, Images.Difference(written, changed), first) with { ServerPoint = reference };
        await test.Repository.CommitAsync(second, CancellationToken.None);
        await new ServerPointStore(test.Repository).PutAsync(SampleServerPoint.Of(reference, test.Time.Now, second), CancellationToken.None);
        images[second.Point.ToString()] = Digest(changed);

        var folder = await (secret is null ? MergeAsync(test, codec, images, [full, first, second], changed) : RotateKeysAsync(test, second, secret));
        await new Catalogue(test.Repository).WriteAsync(CancellationToken.None);
        if (Environment.GetEnvironmentVariable("RBDBACKUP_GOLDEN") is { Length: > 0 } into)
        {
            Keep(test, images, Path.Combine(into, folder), secret);
        }
    }

    /// <summary>Two merged indexes, one on the other, in small leaves and objects; the full is gone.</summary>
    private static async Task<string> MergeAsync(TestRepository test, string codec, Dictionary<string, string> images, Manifest[] points, byte[] image)
    {
        var consolidator = new Consolidator(test.Repository, new MergedLayout(32 << 10, 300));
        await consolidator.ConsolidateAsync(points[1], IProgressReporter.None, CancellationToken.None);
        await consolidator.ConsolidateAsync(points[2], IProgressReporter.None, CancellationToken.None);
        var last = image.ToArray();
        last.AsSpan(70_000, 100).Fill(9);
        var third = await test.AddAsync(last, Images.Difference(image, last), points[2]);
        images[third.Point.ToString()] = Digest(last);
        await new PointRemover(test.Repository, consolidator).RemoveAsync([points[0]], [.. points, third], IProgressReporter.None, CancellationToken.None);
        images.Remove(points[0].Point.ToString());
        return $"catalogue-server-points-{codec.Split(':')[0]}";
    }

    /// <summary>What was sealed before a rotation of the master key, after it, and merged.</summary>
    private static async Task<string> RotateKeysAsync(TestRepository test, Manifest point, string secret)
    {
        await new KeyManager(test.Repository).RotateAsync(false, IProgressReporter.None, CancellationToken.None);
        await new Consolidator(test.Repository).ConsolidateAsync(point, IProgressReporter.None, CancellationToken.None);
        return $"catalogue-server-points-sealed-{(secret == TestRepository.Secret ? "raw" : "passphrase")}";
    }

    private static void Keep(TestRepository test, Dictionary<string, string> images, string folder, string? secret)
    {
        foreach (var file in Directory.GetFiles(test.Folder, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(folder, Path.GetRelativePath(test.Folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        if (secret is not null)
        {
            File.WriteAllText(Path.Combine(folder, "key"), secret);
        }

        File.WriteAllText(Path.Combine(folder, "images.json"), JsonSerializer.Serialize(images));
    }

    private static string Digest(byte[] image) => Convert.ToHexStringLower(SHA256.HashData(image));
}
