using System.Buffers;
using System.Globalization;
using System.Text;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Verify;
using Xunit.Abstractions;

namespace RbdBackup.Core.Tests.Verify;

/// <summary>
/// Each bit of a small repository, flipped: <c>verify --data</c> of all points finds it, or every point still gives its bytes. Never does a point give others, and
/// never does anything end without an error that names what is wrong.
/// </summary>
public sealed class BitFlipTests(ITestOutputHelper output)
{
    private static readonly CancellationToken None = CancellationToken.None;

    // RBDBACKUP_BIT_FLIPS=1 flips each bit (a minute or some for each kind); N each n-th, N+M each n-th from the m-th on. Else a share, with another remainder in each object.
    private static readonly (int Step, int? From) Bits = Parse(Environment.GetEnvironmentVariable("RBDBACKUP_BIT_FLIPS") ?? "97");

    [Theory]
    [InlineData("none", null)]
    [InlineData("zstd:3", null)]
    [InlineData("none", TestRepository.Secret)]
    [InlineData("zstd:3", TestRepository.Secret)]
    public async Task Every_bit_flip_is_found_by_a_data_verification_or_changes_nothing_that_a_restore_reads(string codec, string? secret)
    {
        await using var test = await MakeAsync(codec, secret);
        var store = await HeldStore.OfAsync(test.Store);
        var whole = await ReadAsync(store, test, secret);
        Assert.Equal(3, whole.Count);
        Assert.False(await IsFoundAsync(store, test, secret));
        var (flips, unnoticed) = (0, new Dictionary<string, int>());
        foreach (var ((key, content), number) in store.Objects.Select((o, n) => (o, n)))
        {
            for (var bit = Bits.From ?? number % Bits.Step; bit < 8 * content.Length; bit += Bits.Step)
            {
                content[bit / 8] ^= (byte)(1 << (bit % 8));
                var what = $"bit {bit % 8} of byte {bit / 8} of {key}";
                var found = await IsFoundAsync(store, test, secret, what);
                Compare(whole, await ReadAsync(store, test, secret), found, what);
                flips++;
                unnoticed[key] = unnoticed.GetValueOrDefault(key) + (found ? 0 : 1);
                content[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }

        Assert.False(await IsFoundAsync(store, test, secret));
        output.WriteLine($"{flips} flips; not found, and without consequence: {string.Join(", ", unnoticed.Where(u => u.Value > 0).Select(u => $"{u.Value} of {u.Key}"))}");
        Assert.All(unnoticed.Where(u => u.Value > 0), u => Assert.True(MayPass(u.Key, secret is not null), u.Key));
    }

    /// <summary>What a flip may be in without being found: what no restore reads, a time in the header or in a slot, the case of a digit of a wrap; unsealed, a bit that zstd passes over.</summary>
    private static bool MayPass(string key, bool isSealed) =>
        !key.EndsWith(".json", StringComparison.Ordinal) || !key.StartsWith(Keys.PointsPrefix, StringComparison.Ordinal)
            ? !isSealed || !key.StartsWith(Keys.DataPrefix, StringComparison.Ordinal) || Keys.TryParseWrap(key) is not null
            : false;

    private static void Compare(IReadOnlyDictionary<PointId, byte[]?> whole, IReadOnlyDictionary<PointId, byte[]?> read, bool found, string what)
    {
        foreach (var (point, expected) in whole)
        {
            var image = read.GetValueOrDefault(point);
            Assert.True(image is null || image.AsSpan().SequenceEqual(expected), $"{what} makes point {point} give other bytes");
            Assert.True(found || image is not null, $"{what} is not found, and point {point} can't be read");
        }
    }

    /// <summary>The points that can be read, as a restore reads them; null where one that is listed can't.</summary>
    private static async Task<IReadOnlyDictionary<PointId, byte[]?>> ReadAsync(IObjectStore store, TestRepository test, string? secret)
    {
        var images = new Dictionary<PointId, byte[]?>();
        try
        {
            var repository = await test.OpenAgainAsync(secret, store: store);
            await foreach (var point in repository.ReadAllAsync(Keys.PointsPrefix, null, None))
            {
                images[point.Point] = await TryAsync(() => Sealing.Everything.ImageAsync(repository, point));
            }
        }
        catch (RbdBackupException)
        {
            // The header, or the slot that the secret opens.
        }

        return images;
    }

    /// <summary>
    /// As <c>verify --all --data</c> does it. What is flipped in an object that belongs to no restore must not keep anything from running: pins, results, jobs and
    /// a collection are read too, and end well or with an error of their own.
    /// </summary>
    private static async Task<bool> IsFoundAsync(IObjectStore store, TestRepository test, string? secret, string? what = null)
    {
        try
        {
            var repository = await test.OpenAgainAsync(secret, store: store);
            await new PinStore(repository).ReadAsync(_ => { }, None);
            await VerifiedResults.ReadAsync(repository, null, None);
            await repository.ReadFinishedJobsAsync(None);
            await TryAsync(() => new GarbageCollector(repository, Garbage, test.Time).RunAsync(true, IProgressReporter.None, None));
            var unreadable = false;
            var verdicts = await Verifying.DiskAsync(repository, test.Time, VerifyKind.Data, e => unreadable |= e.Kind == ErrorKind.Corrupt);
            Assert.All(verdicts, v => Assert.True(v.State is VerifyState.Ok or VerifyState.Damaged, $"{what} gives no verdict: {Verifying.Describe(v)}"));
            return unreadable || verdicts.Exists(v => v.State == VerifyState.Damaged);
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.Permission or ErrorKind.Unsupported or ErrorKind.Refused)
        {
            return true;
        }
    }

    private static async Task<T?> TryAsync<T>(Func<Task<T>> get)
        where T : class
    {
        try
        {
            return await get();
        }
        catch (RbdBackupException)
        {
            return null;
        }
    }

    private static GarbageOptions Garbage { get; } = new(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(365));

    /// <summary>A full, an increment and an independent increment with pages of its own and of others; and one of whatever else a repository holds.</summary>
    private static async Task<TestRepository> MakeAsync(string codec, string? secret)
    {
        var test = await TestRepository.OpenAsync(codec, inMemory: true, secret: secret);
        var random = new Random(7);
        var images = new List<byte[]> { Images.Random(random, 4096) };
        var points = new List<Manifest> { await test.AddAsync(images[0], Images.Difference([], images[0])) };
        for (var n = 0; n < 2; n++)
        {
            images.Add(Images.Changed(random, images[^1]));
            points.Add(await test.AddAsync(images[^1], Images.Difference(images[^2], images[^1]), points[^1]));
        }

        await new Consolidator(test.Repository).ConsolidateAsync(points[^1], IProgressReporter.None, None);
        for (var n = 0; n < 4; n++)
        {
            // Revisions that nobody reads any more go.
            test.Time.Now += TimeSpan.FromDays(4);
            await new GarbageCollector(test.Repository, Garbage, test.Time).RunAsync(false, IProgressReporter.None, None);
        }

        await test.Repository.AbortAsync(TestRepository.Disk().Key, PointId.New(test.Time.Now), None);
        await new PinStore(test.Repository).PutAsync(points[1], test.Time.Now.AddDays(9), "a test", "root", None);
        await Verifying.DiskAsync(test.Repository, test.Time, VerifyKind.Quick);
        var job = new JobRecord
        {
            Point = points[0].Point,
            Image = $"{points[0].Disk.Spec}",
            State = JobState.Finished,
            Attempt = AttemptId.New(),
            SnapshotName = "a-test",
            OwnSnapshot = true,
            AskedBy = new AskedBy(AskedSource.Cli, User: "root"),
            Created = test.Time.Now,
            Tries = 1,
        };
        await test.Repository.Store.PutAsync(Keys.FinishedJob(job.Point, job.Attempt), new ReadOnlySequence<byte>(job.Write()), None);
        var garbage = $$"""{"format":1,"written":"2026-03-02T01:00:00+00:00","candidates":["data/{{PointId.New(test.Time.Now)}}/index.{{job.Attempt}}"]}""";
        await test.Repository.Store.PutAsync(Keys.Garbage(test.Time.Now, AttemptId.New()), new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(garbage)), None);
        return test;
    }

    private static (int Step, int? From) Parse(string text)
    {
        var parts = text.Split('+');
        return (int.Parse(parts[0], CultureInfo.InvariantCulture), parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : null);
    }
}
