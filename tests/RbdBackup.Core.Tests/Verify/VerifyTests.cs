using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Tests.Verify;

/// <summary>Verification of what is in the store: whole points are whole, and whatever is damaged is found, named, and stored as the result.</summary>
public sealed class VerifyTests
{
    [Theory]
    [InlineData("none", VerifyKind.Quick, 1, null)]
    [InlineData("none", VerifyKind.Data, 2, null)]
    [InlineData("zstd:3", VerifyKind.Quick, 3, null)]
    [InlineData("zstd:3", VerifyKind.Data, 4, null)]
    [InlineData("none", VerifyKind.Quick, 5, TestRepository.Secret)]
    [InlineData("zstd:3", VerifyKind.Data, 6, TestRepository.Secret)]
    public async Task Whole_points_are_whole_and_say_so(string codec, VerifyKind kind, int seed, string? secret)
    {
        await using var test = await TestRepository.OpenAsync(codec, inMemory: true, secret: secret);
        await ChainAsync(test, seed);
        foreach (var verdict in await Verifying.DiskAsync(test.Repository, test.Time, kind))
        {
            Assert.True(verdict.State == VerifyState.Ok, Verifying.Describe(verdict));
        }

        var states = await VerifiedResults.ReadAsync(test.Repository, null, CancellationToken.None);
        Assert.Equal(5, states.Count);
        Assert.All(states.Values, s => Assert.Equal((kind, true), (s.Kind, s.Ok)));
    }

    [Fact]
    public async Task A_chain_s_frames_are_fetched_once()
    {
        await using var test = await TestRepository.OpenAsync(inMemory: true);
        var image = new byte[600_000];
        new Random(1).NextBytes(image);
        var below = await test.AddAsync(image, [new Extent(0, image.Length, true)]);
        for (var n = 0; n < 4; n++)
        {
            image.AsSpan(n * 100_000, 5000).Fill((byte)n);
            below = await test.AddAsync(image, [new Extent(n * 100_000, 5000, true)], below);
        }

        var frames = new Dictionary<(string, long), int>();
        test.Store.OnRead = (key, offset, bytes) =>
        {
            lock (frames)
            {
                // A footer is read with what stands before it.
                if (Keys.TryParseSegment(key) is not null && !bytes.Span.EndsWith("RBDBKDIR"u8) && FrameHeader.TryRead(bytes.Span, out _, out _, out _) is not null)
                {
                    frames[(key, offset)] = frames.GetValueOrDefault((key, offset)) + 1;
                }
            }
        };
        Assert.All(await Verifying.DiskAsync(test.Repository, test.Time, VerifyKind.Data), v => Assert.Equal(VerifyState.Ok, v.State));
        Assert.Equal(37 + 4, frames.Count);
        Assert.All(frames.Values, times => Assert.Equal(1, times));
    }

    [Theory]
    [InlineData(VerifyKind.Quick, null)]
    [InlineData(VerifyKind.Data, null)]
    [InlineData(VerifyKind.Quick, TestRepository.Secret)]
    [InlineData(VerifyKind.Data, TestRepository.Secret)]
    public async Task An_object_that_is_missing_or_too_short_is_found_and_named(VerifyKind kind, string? secret)
    {
        await using var test = await TestRepository.OpenAsync(inMemory: true, secret: secret);
        var points = await ChainAsync(test, 7);
        foreach (var key in (await test.KeysAsync("data/")).Where(k => points.Any(p => k.StartsWith(Keys.PointData(p.Point), StringComparison.Ordinal))))
        {
            var path = Path.Combine(test.Folder, key);
            var bytes = await File.ReadAllBytesAsync(path);
            var needed = !await IsGarbageAsync(test, points, key);
            File.Delete(path);
            await FoundAsync(test, secret, kind, key, needed);

            // Of wraps nothing says how long they are.
            await File.WriteAllBytesAsync(path, bytes[..^(1 + (bytes.Length / 2))]);
            await FoundAsync(test, secret, kind, key, needed && (kind == VerifyKind.Data || Keys.TryParseWrap(key) is null));
            await File.WriteAllBytesAsync(path, bytes);
        }

        Assert.All(await Verifying.DiskAsync(test.Repository, test.Time, kind), v => Assert.Equal(VerifyState.Ok, v.State));
    }

    [Fact]
    public async Task An_index_that_disagrees_with_plan_and_segments_is_found_though_its_digest_is_right()
    {
        await using var test = await TestRepository.OpenAsync(inMemory: true);
        var image = new byte[100_000];
        new Random(3).NextBytes(image);
        var extents = new[] { new Extent(0, image.Length, true) };
        var head = test.Head(image.Length);
        var attempt = AttemptId.New();
        var plan = await test.PutPlanAsync(head, extents, attempt);
        var segments = await test.PutSegmentsAsync(image, extents, head, attempt, plan);

        // As if the writer had forgotten a part of the image.
        var point = await test.FinishAsync(head, [new Extent(0, 80_000, true)], attempt, plan, segments);
        await test.Repository.CommitAsync(point, CancellationToken.None);
        var verdict = Assert.Single(await Verifying.DiskAsync(test.Repository, test.Time, VerifyKind.Data));
        Assert.Equal(VerifyState.Damaged, verdict.State);
        Assert.Contains(verdict.Findings, f => f.Where == point.Index.Key);
    }

    [Fact]
    public async Task A_point_whose_base_is_gone_is_damaged_and_the_others_are_verified()
    {
        await using var test = await TestRepository.OpenAsync(inMemory: true);
        var points = await ChainAsync(test, 5);
        File.Delete(Path.Combine(test.Folder, points[0].Key));
        var verdicts = await Verifying.DiskAsync(test.Repository, test.Time, VerifyKind.Quick);
        Assert.Equal(4, verdicts.Count);
        Assert.Contains(verdicts, v => v.State == VerifyState.Damaged && v.Findings.Any(f => f.What.Contains("missing", StringComparison.Ordinal)));
        Assert.Contains(verdicts, v => v.State == VerifyState.Ok);
    }

    [Fact]
    public async Task A_store_that_does_not_answer_says_nothing_about_the_point()
    {
        await using var test = await TestRepository.OpenAsync(inMemory: true);
        await ChainAsync(test, 6);
        test.Store.OnRead = (key, _, _) => _ = Keys.TryParseSegment(key) is null ? 0 : throw new RbdBackupException(ErrorKind.Unavailable, "no answer");
        Assert.Contains(await Verifying.DiskAsync(test.Repository, test.Time, VerifyKind.Data), v => v.State == VerifyState.Failed);
        test.Store.OnRead = (_, _, _) => { };
        Assert.DoesNotContain(await VerifiedResults.ReadAsync(test.Repository, null, CancellationToken.None), s => !s.Value.Ok);
    }

    /// <summary>A full, three increments, one of them independent, and an independent one on top.</summary>
    private static async Task<List<Manifest>> ChainAsync(TestRepository test, int seed, int size = 300_000)
    {
        var random = new Random(seed);
        var image = Images.Random(random, size);
        var points = new List<Manifest> { await test.AddAsync(image, Images.Difference([], image)) };
        var consolidator = new Consolidator(test.Repository, new MergedLayout(64 << 10, 1000));
        for (var n = 0; n < 4; n++)
        {
            var next = Images.Changed(random, image);
            var point = await test.AddAsync(next, Images.Difference(image, next), points[^1]);
            points.Add(n % 2 == 0 ? point : (await consolidator.ConsolidateAsync(point, IProgressReporter.None, CancellationToken.None)).Point);
            image = next;
        }

        return points;
    }

    private static async Task FoundAsync(TestRepository test, string? secret, VerifyKind kind, string key, bool needed)
    {
        // As another process sees it: this one knows the attempts' keys.
        var verdicts = await Verifying.DiskAsync(await test.OpenAgainAsync(secret), test.Time, kind);
        Assert.True(verdicts.Any(v => v.State == VerifyState.Damaged) == needed, $"{key}: {string.Join("; ", verdicts.Select(Verifying.Describe))}");
        Assert.True(
            !needed || verdicts.Any(v => v.Findings.Any(f => f.Where == key || (f.Where[^1] == '*' && key.StartsWith(f.Where[..^1], StringComparison.Ordinal)) || f.What.Contains(key, StringComparison.Ordinal))),
            $"{key} is not named: {string.Join("; ", verdicts.Select(Verifying.Describe))}");
    }

    /// <summary>True for what only the superseded revision of a point names.</summary>
    private static async Task<bool> IsGarbageAsync(TestRepository test, List<Manifest> points, string key)
    {
        foreach (var point in points)
        {
            var references = await test.Repository.ReadReferencesAsync(point, CancellationToken.None);
            if (point.References.Key == key || references.Objects.Contains(key) || references.Segments.Any(r => r.Keys.Contains(key) || key.StartsWith(Keys.WrapsOf(r.Point, r.Attempt), StringComparison.Ordinal)))
            {
                return false;
            }
        }

        return true;
    }
}
