using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Sealing;
using RbdBackup.Core.Tests.Verify;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Tests.Sealing;

/// <summary>What a sealed repository gives back, what it shows to the store, and what it refuses.</summary>
public sealed class SealedRepositoryTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly Random _random = new(5);
    private TestRepository _test = null!;
    private byte[] _first = [], _second = [];
    private Manifest _full = null!, _increment = null!;

    public async Task InitializeAsync()
    {
        _test = await TestRepository.OpenAsync(secret: TestRepository.Secret);
        _first = Images.Random(_random, 400_000);
        _full = await _test.AddAsync(_first, Images.Difference([], _first), policy: "a-private-policy");
        _second = Images.Changed(_random, _first);
        _increment = await _test.AddAsync(_second, Images.Difference(_first, _second), _full);
    }

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task Its_points_give_their_images_to_another_process_with_the_key()
    {
        await new Consolidator(_test.Repository).ConsolidateAsync(_increment, IProgressReporter.None, None);
        var again = await _test.OpenAgainAsync(TestRepository.Secret);
        Assert.Equal(_first, await ImageAsync(again, _full.Point));
        Assert.Equal(_second, await ImageAsync(again, _increment.Point));
        Assert.All(await again.ReadDiskAsync(_full.Disk.Key, e => throw e, None), m => Assert.Contains("sealed", m.RequiredFeatures));
    }

    [Fact]
    public async Task The_store_sees_no_data_no_names_and_no_digests()
    {
        await new Consolidator(_test.Repository).ConsolidateAsync(_increment, IProgressReporter.None, None);
        string[] hidden = ["rbd diff", "a-private-policy", "conf_rbd_qos_iops_limit", "id-of-disk", "sha256", "frames", "live_bytes", "\u005D*M\u0018", _full.Snapshot.Name];
        foreach (var key in await _test.KeysAsync())
        {
            var content = Encoding.Latin1.GetString(await File.ReadAllBytesAsync(Path.Combine(_test.Folder, key)));
            Assert.DoesNotContain(hidden, h => content.Contains(h, StringComparison.Ordinal));
            for (var at = 0; at + 64 < _first.Length; at += 4096)
            {
                var piece = _first.AsSpan(at, 64);
                Assert.True(piece.IndexOfAnyExcept(piece[0]) < 0 || !content.Contains(Encoding.Latin1.GetString(piece), StringComparison.Ordinal), key);
            }
        }
    }

    [Fact]
    public async Task What_is_removed_while_it_is_compared_with_what_is_put_again_is_stored_anew()
    {
        var (store, key) = (_test.Repository.Store, _increment.References.Key);
        var content = await store.GetAsync(key, 1 << 20, None);
        _test.Store.OnChange = put =>
        {
            // The store has it still, and the removal comes between its refusal and the look at why.
            _test.Store.OnChange = _ => { };
            File.Delete(Path.Combine(_test.Folder, put));
            throw new RbdBackupException(ErrorKind.Refused, $"{put} is there already, with other bytes");
        };
        await store.PutAsync(key, new ReadOnlySequence<byte>(content), None);
        Assert.Equal(content, await store.GetAsync(key, 1 << 20, None));
    }

    [Theory]
    [InlineData("ff112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef")]
    [InlineData("a passphrase that is another one")]
    public async Task Another_key_gets_the_same_error_whatever_was_wrong(string secret)
    {
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => _test.OpenAgainAsync(secret));
        Assert.Equal((ErrorKind.Permission, $"the key does not open the repository in {_test.Store.Url}"), (error.Kind, error.Message));
        foreach (var slot in await _test.KeysAsync("keys/"))
        {
            _test.Store.Flip(slot, new FileInfo(Path.Combine(_test.Folder, slot)).Length - 20, 0);
        }

        var damaged = await Assert.ThrowsAsync<RbdBackupException>(() => _test.OpenAgainAsync(TestRepository.Secret));
        Assert.Equal((error.Kind, error.Message, error.Remedy), (damaged.Kind, damaged.Message, damaged.Remedy));
    }

    [Fact]
    public async Task Without_a_key_the_error_names_the_options()
    {
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => _test.OpenAgainAsync(null));
        Assert.Equal(ErrorKind.Permission, error.Kind);
        Assert.Contains("[encryption] key_file, key_env or key_command", error.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_repository_that_is_not_sealed_has_nothing_of_it()
    {
        await using var plain = await TestRepository.OpenAsync();
        var point = await plain.AddAsync(_first, Images.Difference([], _first));
        Assert.DoesNotContain(await plain.KeysAsync(), k => k.StartsWith("keys/", StringComparison.Ordinal) || Keys.TryParseWrap(k) is not null);
        Assert.Equal(ManifestCodec.Write(point), await plain.Store.GetAsync(KeyOf(point), 1 << 20, None));
        Assert.Same(plain.Store, plain.Repository.Store);
        Assert.Empty(plain.Repository.Header.RequiredFeatures);
    }

    [Fact]
    public async Task A_key_refuses_a_repository_that_is_not_sealed_and_so_a_header_that_was_exchanged()
    {
        await using var plain = await TestRepository.OpenAsync();
        Assert.Equal(ErrorKind.Refused, (await Assert.ThrowsAsync<RbdBackupException>(() => plain.OpenAgainAsync(TestRepository.Secret))).Kind);

        // A header with a smaller key counts; the one that was there does not any more.
        var header = """{"format":1,"required_features":[],"id":"00000000-0000-4000-8000-000000000000","created":"2026-01-01T00:00:00+00:00"}"""u8.ToArray();
        await _test.Store.PutAsync("repository.00000000-0000-4000-8000-000000000000.json", new ReadOnlySequence<byte>(header), None);
        Assert.Equal(ErrorKind.Refused, (await Assert.ThrowsAsync<RbdBackupException>(() => _test.OpenAgainAsync(TestRepository.Secret))).Kind);
    }

    [Fact]
    public async Task Points_that_were_not_sealed_are_refused_in_a_sealed_repository_and_sealed_ones_in_a_plain_one()
    {
        await using var plain = await TestRepository.OpenAsync();
        var forged = await plain.AddAsync(_second, Images.Difference([], _second));
        Move(plain, _test);
        var damage = new ConcurrentBag<RbdBackupException>();
        Assert.Equal([_full.Point, _increment.Point], (await _test.Repository.ReadDiskAsync(forged.Disk.Key, damage.Add, None)).Select(m => m.Point));
        Assert.Contains("never sealed", Assert.Single(damage).Message, StringComparison.Ordinal);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => _test.Repository.FindAsync(forged.Point, None))).Kind);

        Move(_test, plain);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => plain.Repository.FindAsync(_full.Point, None))).Kind);
        Assert.Equal(_second, await ImageAsync(plain.Repository, forged.Point));
    }

    [Fact]
    public async Task A_segment_that_was_not_sealed_is_refused()
    {
        await using var plain = await TestRepository.OpenAsync();
        var same = await plain.AddAsync(_first, Images.Difference([], _first));
        var theirs = (await plain.KeysAsync($"data/{same.Point}/0")).Order(StringComparer.Ordinal).ToList();
        var ours = (await _test.KeysAsync($"data/{_full.Point}/0")).Order(StringComparer.Ordinal).ToList();
        File.Copy(Path.Combine(plain.Folder, theirs[0]), Path.Combine(_test.Folder, ours[0]), overwrite: true);
        await RefusesAsync(_full);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => _test.ExportAsync(_full))).Kind);
    }

    [Fact]
    public async Task Two_frames_that_changed_places_are_found()
    {
        // Frames of one length: the index goes on fitting. Their numbers go with them, then stay.
        var image = new byte[64 << 10];
        _random.NextBytes(image);
        var point = await _test.AddAsync(image, [new Extent(0, image.Length, true)], disk: TestRepository.Disk("other"));
        var key = Assert.Single(await _test.KeysAsync($"data/{point.Point}/0"));
        var (footer, _) = await SegmentStore.ReadFooterAsync(_test.Repository, Name(key), new FileInfo(Path.Combine(_test.Folder, key)).Length, None);
        var (a, b) = (footer.Frames[1], footer.Frames[2]);
        Assert.Equal(a.Length, b.Length);
        Assert.Equal(image, await ImageAsync(_test.Repository, point.Point));
        foreach (var head in (int[])[0, 4, SealedFrame.HeadBytes])
        {
            var path = Path.Combine(_test.Folder, key);
            var bytes = await File.ReadAllBytesAsync(path);
            var moved = bytes.ToArray();
            bytes.AsSpan((int)a.Offset + head, a.Length - head).CopyTo(moved.AsSpan((int)b.Offset + head));
            bytes.AsSpan((int)b.Offset + head, b.Length - head).CopyTo(moved.AsSpan((int)a.Offset + head));
            await File.WriteAllBytesAsync(path, moved);
            await RefusesAsync(point);
            await File.WriteAllBytesAsync(path, bytes);
        }

        Assert.Equal(image, await ImageAsync(_test.Repository, point.Point));
    }

    [Fact]
    public async Task Two_segments_that_changed_places_are_found()
    {
        // Segments of one length, without zeros.
        var (a, b) = (new byte[128 << 10], new byte[128 << 10]);
        _random.NextBytes(a);
        _random.NextBytes(b);
        var point = await _test.AddAsync(a, [new Extent(0, a.Length, true)], disk: TestRepository.Disk("other"));
        var other = await _test.AddAsync(b, [new Extent(0, b.Length, true)], disk: TestRepository.Disk("another"));
        var (segments, theirs) = (await _test.KeysAsync($"data/{point.Point}/0"), await _test.KeysAsync($"data/{other.Point}/0"));
        Exchange(segments[0], segments[1]);
        await RefusesAsync(point);
        Exchange(segments[0], segments[1]);
        Assert.Equal(a, await ImageAsync(_test.Repository, point.Point));
        Exchange(segments[1], theirs[1]);
        await RefusesAsync(point);
    }

    [Theory]
    [InlineData("plan.")]
    [InlineData("index.")]
    [InlineData("references.")]
    [InlineData("wraps.")]
    public async Task Objects_of_two_points_that_changed_places_are_found(string name)
    {
        var (a, b) = ((await _test.KeysAsync($"data/{_full.Point}/{name}"))[0], (await _test.KeysAsync($"data/{_increment.Point}/{name}"))[0]);
        Exchange(a, b);
        var again = await _test.OpenAgainAsync(TestRepository.Secret);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => Everything.ReadAsync(again, _test.Store))).Kind);
        Assert.Equal(2, await FoundAsync(_full.Disk));
    }

    [Fact]
    public async Task Two_points_that_changed_places_are_found()
    {
        Exchange(KeyOf(_full), KeyOf(_increment));
        var damage = new ConcurrentBag<RbdBackupException>();
        Assert.Empty(await _test.Repository.ReadDiskAsync(_full.Disk.Key, damage.Add, None));
        Assert.Equal(2, damage.Count);
        Assert.Equal(2, await FoundAsync(_full.Disk));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_collection_deletes_nothing_on_the_word_of_a_marker_that_was_not_sealed_here(bool moved)
    {
        // Another point's marker, or what somebody without the key writes.
        await _test.Repository.AbortAsync(_full.Disk.Key, _increment.Point, None);
        var path = Path.Combine(_test.Folder, Keys.Aborted(_full.Disk.Key, _full.Point));
        await File.WriteAllBytesAsync(path, moved ? await File.ReadAllBytesAsync(Path.Combine(_test.Folder, Keys.Aborted(_full.Disk.Key, _increment.Point))) : "aborted\n"u8.ToArray());
        var gc = new GarbageCollector(_test.Repository, new GarbageOptions(TimeSpan.FromDays(1), TimeSpan.FromDays(1), TimeSpan.FromDays(1)), _test.Time);
        _test.Time.Now += TimeSpan.FromDays(9);
        var keys = await _test.KeysAsync();
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => gc.RunAsync(false, IProgressReporter.None, None));
        Assert.Equal(ErrorKind.Corrupt, error.Kind);
        Assert.Contains("delete the marker", error.Remedy, StringComparison.Ordinal);
        Assert.Equal(keys, await _test.KeysAsync());

        File.Delete(path);
        await gc.RunAsync(false, IProgressReporter.None, None);
        _test.Time.Now += TimeSpan.FromDays(1);
        await gc.RunAsync(false, IProgressReporter.None, None);
        Assert.Equal(_first, await ImageAsync(_test.Repository, _full.Point));
        Assert.DoesNotContain(await _test.KeysAsync(), k => Keys.PointOfData(k) == _increment.Point);
    }

    [Fact]
    public async Task A_point_that_was_moved_to_another_image_is_found()
    {
        var other = KeyOf(_full with { Disk = TestRepository.Disk("victim") });
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_test.Folder, other))!);
        File.Copy(Path.Combine(_test.Folder, KeyOf(_full)), Path.Combine(_test.Folder, other));
        var damage = new ConcurrentBag<RbdBackupException>();
        Assert.Empty(await _test.Repository.ReadDiskAsync(TestRepository.Disk("victim").Key, damage.Add, None));
        Assert.Single(damage);
        Assert.Equal((1, 0), (await FoundAsync(TestRepository.Disk("victim")), await FoundAsync(_full.Disk)));
    }

    [Fact]
    public async Task Objects_of_another_repository_with_the_same_secret_are_found()
    {
        await using var other = await TestRepository.OpenAsync(secret: TestRepository.Secret);
        var theirs = await other.AddAsync(_second, Images.Difference([], _second));
        Move(other, _test);
        var error = await Assert.ThrowsAsync<RbdBackupException>(async () => await (await _test.OpenAgainAsync(TestRepository.Secret)).FindAsync(theirs.Point, None));
        Assert.Equal(ErrorKind.Corrupt, error.Kind);
        Assert.Equal(1, await FoundAsync(theirs.Disk));
    }

    [Fact]
    public async Task An_object_that_was_cut_at_a_blocks_end_is_found()
    {
        await _test.Repository.Store.PutAsync("data/long", new ReadOnlySequence<byte>(new byte[5 * SealedBlocks.PlainBytes]), None);
        var path = Path.Combine(_test.Folder, "data/long");
        await File.WriteAllBytesAsync(path, (await File.ReadAllBytesAsync(path))[..(3 * SealedBlocks.StoredBytes)]);
        Assert.Equal(3 * SealedBlocks.PlainBytes, (await _test.Repository.Store.StatAsync("data/long", None))!.Length);
        foreach (var read in (Func<Task>[])[() => _test.Repository.Store.GetAsync("data/long", 1 << 20, None), () => _test.Repository.Store.GetRangeAsync("data/long", 5, new byte[9], None)])
        {
            Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(read)).Kind);
        }
    }

    [Fact]
    public async Task Any_range_of_a_sealed_object_is_what_was_stored()
    {
        foreach (var length in (int[])[0, 1, SealedBlocks.PlainBytes - 1, SealedBlocks.PlainBytes, SealedBlocks.PlainBytes + 1, (3 * SealedBlocks.PlainBytes) + 77])
        {
            var (key, bytes) = ($"data/object-{length}", new byte[length]);
            _random.NextBytes(bytes);
            await _test.Repository.Store.PutAsync(key, new ReadOnlySequence<byte>(bytes), None);
            Assert.Equal(length, (await _test.Repository.Store.StatAsync(key, None))!.Length);
            Assert.Equal(bytes, await _test.Repository.Store.GetAsync(key, length, None));
            for (var n = 0; n < 20; n++)
            {
                var (from, to) = (_random.Next(length + 1), _random.Next(length + 1));
                var read = new byte[Math.Abs(to - from)];
                await _test.Repository.Store.GetRangeAsync(key, Math.Min(from, to), read, None);
                Assert.Equal(bytes.AsSpan(Math.Min(from, to), read.Length).ToArray(), read);
            }
        }
    }

    [Fact]
    public async Task Each_upload_has_a_key_and_nonces_of_its_own()
    {
        var extents = Images.Difference([], _first);
        var head = _test.Head(_first.Length);
        var attempt = AttemptId.New();
        var plan = await _test.PutPlanAsync(head, extents, attempt);
        await _test.PutSegmentsAsync(_first, extents, head, attempt, plan);
        var keys = await _test.KeysAsync($"data/{head.Point}/0");
        var before = keys.ToDictionary(k => k, k => File.ReadAllBytes(Path.Combine(_test.Folder, k)));
        keys.ForEach(k => File.Delete(Path.Combine(_test.Folder, k)));
        await _test.PutSegmentsAsync(_first, extents, head, attempt, plan);
        Assert.All(keys, k => Assert.NotEqual(before[k][4..SealedFrame.HeadBytes], File.ReadAllBytes(Path.Combine(_test.Folder, k))[4..SealedFrame.HeadBytes]));
        Assert.Single(await _test.KeysAsync($"data/{head.Point}/wraps."));
    }

    [Fact]
    public async Task Segments_of_an_attempt_that_died_are_used_by_the_next()
    {
        var extents = Images.Difference([], _second);
        var head = _test.Head(_second.Length);
        var attempt = AttemptId.New();
        var plan = await _test.PutPlanAsync(head, extents, attempt);
        await _test.PutSegmentsAsync(_second, extents, head, attempt, plan);
        var found = await new SegmentStore(await _test.OpenAgainAsync(TestRepository.Secret), head.Point, AttemptId.New(), plan).FindAsync(None);
        Assert.Equal(Cutter.Count(extents, head.Cut), found.Count);
        var point = await _test.FinishAsync(head, extents, AttemptId.New(), plan, [.. found.OrderBy(s => s.Key).Select(s => s.Value)]);
        await _test.Repository.CommitAsync(point, None);
        Assert.Equal(_second, await ImageAsync(_test.Repository, point.Point));
    }

    private static string KeyOf(Manifest m) => Keys.Manifest(m.Disk.Key, m.Point, m.Revision, m.Attempt, m.Kind, m.StoredBytes);

    private static FrameName Name(string key) =>
        new(Keys.PointOfData(key)!.Value, Keys.TryParseSegment(key)!.Value.Attempt, Keys.TryParseSegment(key)!.Value.Number, 0, 0);

    private static async Task<byte[]> ImageAsync(PointRepository repository, PointId point) =>
        await Images.ApplyAsync([], await Everything.ExportFullAsync(repository, await repository.FindAsync(point, None)));

    private async Task RefusesAsync(Manifest point)
    {
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => ImageAsync(_test.Repository, point.Point));
        Assert.Equal(ErrorKind.Corrupt, error.Kind);
        Assert.True(error.Message.Contains("changed or moved", StringComparison.Ordinal), error.Message);
        Assert.True(await FoundAsync(point.Disk) > 0);
    }

    /// <summary>How many points of a disk <c>verify --data</c> calls damaged.</summary>
    private async Task<int> FoundAsync(DiskIdentity disk)
    {
        var unreadable = 0;
        var verdicts = await Verifying.DiskAsync(await _test.OpenAgainAsync(TestRepository.Secret), _test.Time, VerifyKind.Data, _ => Interlocked.Increment(ref unreadable), disk.Key);
        return unreadable + verdicts.Count(v => v.State == VerifyState.Damaged);
    }

    private void Exchange(string a, string b)
    {
        var (first, second) = (Path.Combine(_test.Folder, a), Path.Combine(_test.Folder, b));
        File.Move(first, first + "~");
        File.Move(second, first);
        File.Move(first + "~", second);
    }

    /// <summary>Copies all of a repository but its header into another's store.</summary>
    private static void Move(TestRepository from, TestRepository to)
    {
        foreach (var file in Directory.GetFiles(from.Folder, "*", SearchOption.AllDirectories).Where(f => !Path.GetFileName(f).StartsWith("repository.", StringComparison.Ordinal)))
        {
            var copy = Path.Combine(to.Folder, Path.GetRelativePath(from.Folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy, overwrite: true);
        }
    }
}
