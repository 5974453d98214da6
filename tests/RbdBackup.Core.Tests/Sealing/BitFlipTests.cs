using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Sealing;

/// <summary>Each bit of a small repository, flipped: it is found by reading everything, or changes nothing that a restore reads.</summary>
public sealed class BitFlipTests
{
    // RBDBACKUP_BIT_FLIPS=1 flips each bit (minutes); else every n-th, with another remainder in each object.
    private static readonly int Step = int.Parse(Environment.GetEnvironmentVariable("RBDBACKUP_BIT_FLIPS") ?? "211", System.Globalization.CultureInfo.InvariantCulture);

    [Theory]
    [InlineData("none", null)]
    [InlineData("zstd:3", null)]
    [InlineData("none", TestRepository.Secret)]
    [InlineData("zstd:3", TestRepository.Secret)]
    public async Task Every_bit_flip_is_found_or_changes_nothing(string codec, string? secret)
    {
        await using var test = await MakeAsync(codec, secret);
        var whole = await Everything.ReadAsync(test.Repository, test.Store);
        var unnoticed = new HashSet<string>();
        foreach (var (number, key) in (await test.KeysAsync()).Index())
        {
            var bits = 8 * (await test.Store.StatAsync(key, CancellationToken.None))!.Length;
            for (var bit = number % Step; bit < bits; bit += Step)
            {
                test.Store.Flip(key, bit / 8, (int)(bit % 8));
                var error = await Record.ExceptionAsync(async () =>
                {
                    var read = await Everything.ReadAsync(await test.OpenAgainAsync(secret), test.Store);
                    Assert.True(whole.Count == read.Count && whole.All(p => read[p.Key].AsSpan().SequenceEqual(p.Value)), $"bit {bit} of {key} changes a point, and is not found");
                });
                Assert.True(error is null or RbdBackupException { Kind: ErrorKind.Corrupt or ErrorKind.Permission or ErrorKind.Unsupported or ErrorKind.Refused or ErrorKind.NotFound }, $"bit {bit} of {key}: {error}");
                unnoticed.UnionWith(error is null ? [key] : []);
            }
        }

        // A time in the header or in a slot, the case of a digit of a wrap, a list of garbage; unsealed, a bit of a zstd frame that decoders pass over.
        Assert.All(unnoticed, k => Assert.True(MayPass(k, secret is not null), k));
    }

    private static bool MayPass(string key, bool isSealed) =>
        !key.StartsWith(Keys.PointsPrefix, StringComparison.Ordinal)
        && (!isSealed || !key.StartsWith(Keys.DataPrefix, StringComparison.Ordinal) || Keys.TryParseWrap(key) is not null);

    private static async Task<TestRepository> MakeAsync(string codec, string? secret)
    {
        var test = await TestRepository.OpenAsync(codec, inMemory: true, secret: secret);
        var random = new Random(7);
        var image = Images.Random(random, 4096);
        var full = await test.AddAsync(image, Images.Difference([], image));
        var changed = Images.Changed(random, image);
        var increment = await test.AddAsync(changed, Images.Difference(image, changed), full);
        await new Consolidator(test.Repository).ConsolidateAsync(increment, IProgressReporter.None, CancellationToken.None);
        for (var n = 0; n < 4; n++)
        {
            // Revisions that nobody reads any more go.
            test.Time.Now += TimeSpan.FromDays(4);
            var options = new GarbageOptions(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
            await new GarbageCollector(test.Repository, options, test.Time).RunAsync(false, IProgressReporter.None, CancellationToken.None);
        }

        return test;
    }
}
