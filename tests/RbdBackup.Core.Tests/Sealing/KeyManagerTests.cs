using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Sealing;

namespace RbdBackup.Core.Tests.Sealing;

/// <summary>Key slots and rotation: who gets in, before, after, and when it was killed in between.</summary>
public sealed class KeyManagerTests : IAsyncLifetime
{
    private const string Passphrase = "correct horse battery staple";
    private const string Vault = "//////////////////////////////////////////8=";
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly GarbageOptions Options = new(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
    private readonly byte[] _image = Images.Random(new Random(6), 100_000);
    private TestRepository _test = null!;
    private Manifest _point = null!;

    private KeyManager Manager => new(_test.Repository);

    public async Task InitializeAsync()
    {
        _test = await TestRepository.OpenAsync(secret: TestRepository.Secret);
        _point = await _test.AddAsync(_image, Images.Difference([], _image));
    }

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Theory]
    [InlineData(Passphrase, "passphrase")]
    [InlineData(Vault, "raw")]
    [InlineData($"  {Vault}\n", "raw")]
    [InlineData("FF112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef", "raw")]
    public async Task A_slot_that_was_added_opens_the_repository(string secret, string kind)
    {
        var added = await Manager.AddAsync(RepositorySecret.Parse(secret, "a test"), "a second one", None);
        Assert.Equal((kind, 1, "a second one"), (added.Kind, added.Generation, added.Label));
        var again = await _test.OpenAgainAsync(secret);
        Assert.Equal(_image, await ReadAsync(again));
        Assert.Equal(added.Slot, new KeyManager(again).Current.Slot);
        Assert.Equal(2, (await Manager.ListAsync(None)).Count);

        await Manager.RemoveAsync(added.Slot, None);
        Assert.Equal(ErrorKind.Permission, (await Assert.ThrowsAsync<RbdBackupException>(() => _test.OpenAgainAsync(secret))).Kind);
        Assert.Equal(Manager.Current.Slot, Assert.Single(await Manager.ListAsync(None)).Slot);
    }

    [Fact]
    public async Task The_slot_in_use_is_not_removed_and_one_that_is_not_there_is_named()
    {
        Assert.Equal(ErrorKind.Refused, (await Assert.ThrowsAsync<RbdBackupException>(() => Manager.RemoveAsync(Manager.Current.Slot, None))).Kind);
        Assert.Equal(ErrorKind.NotFound, (await Assert.ThrowsAsync<RbdBackupException>(() => Manager.RemoveAsync("00000000", None))).Kind);
    }

    [Fact]
    public async Task A_repository_without_keys_has_none_to_manage()
    {
        await using var plain = await TestRepository.OpenAsync();
        Assert.Equal(ErrorKind.Usage, Assert.Throws<RbdBackupException>(() => new KeyManager(plain.Repository)).Kind);
    }

    [Theory]
    [InlineData("")]
    [InlineData("too short")]
    public void A_secret_that_is_too_short_is_refused_without_being_shown(string secret)
    {
        var error = Assert.Throws<RbdBackupException>(() => RepositorySecret.Parse(secret, "[encryption] key_file"));
        Assert.Equal(ErrorKind.Usage, error.Kind);
        Assert.DoesNotContain("too short", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rotation_changes_what_is_wrapped_and_moves_no_data()
    {
        var stored = await _test.KeysAsync("data/");
        var other = await _test.OpenAgainAsync(TestRepository.Secret);
        var slots = await _test.KeysAsync("keys/");
        for (var generation = 2; generation < 5; generation++)
        {
            Assert.Equal(new RotationResult(generation, 1), await Manager.RotateAsync(false, IProgressReporter.None, None));
        }

        Assert.Equal(stored.Count + 3, (await _test.KeysAsync("data/")).Count);
        Assert.Empty(slots.Intersect(await _test.KeysAsync("keys/")));

        // One that opened it before the rotation reads what is sealed after it, and seals with the new key then.
        var second = await _test.AddAsync([1, 2, 3], [new Extent(0, 3, true)], disk: TestRepository.Disk("other"));
        Assert.Equal([1, 2, 3], await Images.ApplyAsync([], await Everything.ExportFullAsync(other, await other.FindAsync(second.Point, None))));
        Assert.Equal(4, new KeyManager(other).Current.Generation);
        foreach (var repository in (PointRepository[])[_test.Repository, other, await _test.OpenAgainAsync(TestRepository.Secret)])
        {
            Assert.Equal(_image, await ReadAsync(repository));
        }

        await CollectAsync();
        Assert.Equal(_image, await ReadAsync(await _test.OpenAgainAsync(TestRepository.Secret)));
        Assert.Equal(4, Keys.TryParseWrap(Assert.Single(await _test.KeysAsync(Keys.WrapsOf(_point.Point, _point.Attempt))))!.Value.Generation);
    }

    [Fact]
    public async Task A_rotation_refuses_to_lose_slots_unless_it_is_told_to()
    {
        await Manager.AddAsync(RepositorySecret.Parse(Passphrase, "a test"), "", None);
        var before = await _test.KeysAsync();
        Assert.Equal(ErrorKind.Refused, (await Assert.ThrowsAsync<RbdBackupException>(() => Manager.RotateAsync(false, IProgressReporter.None, None))).Kind);
        Assert.Equal(before, await _test.KeysAsync());
        await Manager.RotateAsync(true, IProgressReporter.None, None);
        Assert.Equal(ErrorKind.Permission, (await Assert.ThrowsAsync<RbdBackupException>(() => _test.OpenAgainAsync(Passphrase))).Kind);
        Assert.Single(await Manager.ListAsync(None));
    }

    [Fact]
    public async Task A_rotation_that_is_killed_anywhere_can_be_run_again()
    {
        await _test.AddAsync(_image, Images.Difference([], _image), disk: TestRepository.Disk("other"));
        for (var step = 1; ; step++)
        {
            _test.Store.DieAt(step);
            var repository = await _test.OpenAgainAsync(TestRepository.Secret);
            var killed = await Record.ExceptionAsync(() => new KeyManager(repository).RotateAsync(false, IProgressReporter.None, None)) is KilledException;
            _test.Store.OnChange = _ => { };
            Assert.Equal(_image, await ReadAsync(await _test.OpenAgainAsync(TestRepository.Secret)));
            await CollectAsync();
            Assert.Equal(_image, await ReadAsync(await _test.OpenAgainAsync(TestRepository.Secret)));
            if (!killed)
            {
                Assert.True(step > 4);
                break;
            }
        }

        var result = await new KeyManager(await _test.OpenAgainAsync(TestRepository.Secret)).RotateAsync(false, IProgressReporter.None, None);
        Assert.Equal(2, result.Rewrapped);
        Assert.Equal(result.Generation, (await _test.KeysAsync("keys/")).Count);
        Assert.Single(await new KeyManager(await _test.OpenAgainAsync(TestRepository.Secret)).ListAsync(None));
    }

    [Fact]
    public async Task A_worker_that_knows_the_older_key_only_leaves_what_a_rewrap_takes_up()
    {
        var worker = await _test.OpenAgainAsync(TestRepository.Secret);
        await Manager.RotateAsync(false, IProgressReporter.None, None);
        var (head, attempt) = (_test.Head(_image.Length, disk: TestRepository.Disk("other")), AttemptId.New());
        await worker.Seal!.BeginSegmentAsync(head.Point, attempt, 0, None);
        Assert.Equal(new RotationResult(2, 1), await Manager.RewrapAsync(IProgressReporter.None, None));
        Assert.Equal(new RotationResult(2, 0), await Manager.RewrapAsync(IProgressReporter.None, None));
        Assert.Equal(2, (await _test.KeysAsync(Keys.WrapsOf(head.Point, attempt))).Count);
    }

    [Fact]
    public async Task Of_two_rotations_at_once_one_is_done_and_nothing_is_lost()
    {
        var other = await _test.OpenAgainAsync(TestRepository.Secret);
        var results = await Task.WhenAll(new[] { _test.Repository, other }.Select(r => Record.ExceptionAsync(() => new KeyManager(r).RotateAsync(false, IProgressReporter.None, None))));
        Assert.All(results, e => Assert.True(e is null or RbdBackupException { Kind: ErrorKind.Busy or ErrorKind.Permission }, $"{e}"));
        Assert.Equal(_image, await ReadAsync(await _test.OpenAgainAsync(TestRepository.Secret)));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_rotation_that_another_one_overtook_shows_no_key_that_it_takes_back(int step)
    {
        // Of two slots that open, chance says which one is read first.
        for (var n = 0; n < 8; n++)
        {
            var slow = new KeyManager(await _test.OpenAgainAsync(TestRepository.Secret));
            AtChange(1, m => m.RotateAsync(false, IProgressReporter.None, None), () => AtChange(step - 1, m => m.RewrapAsync(IProgressReporter.None, None), () => { }));
            var error = await Record.ExceptionAsync(() => slow.RotateAsync(false, IProgressReporter.None, None));
            _test.Store.OnChange = _ => { };
            Assert.True(error is null or RbdBackupException { Kind: ErrorKind.Busy }, $"{error}");
            Assert.Equal(_image, await ReadAsync(await _test.OpenAgainAsync(TestRepository.Secret)));
        }
    }

    [Fact]
    public async Task A_rotation_that_died_keeps_others_waiting_for_a_quarter_of_an_hour_and_no_longer()
    {
        _test.Store.DieAt(2);
        await Assert.ThrowsAsync<KilledException>(() => Manager.RotateAsync(false, IProgressReporter.None, None));
        _test.Store.OnChange = _ => { };
        var busy = await Assert.ThrowsAsync<RbdBackupException>(() => Manager.RotateAsync(false, IProgressReporter.None, None));
        Assert.Equal(ErrorKind.Busy, busy.Kind);

        _test.Time.Now += TimeSpan.FromMinutes(16);
        await Manager.RotateAsync(false, IProgressReporter.None, None);
        Assert.Equal(_image, await ReadAsync(await _test.OpenAgainAsync(TestRepository.Secret)));
        Assert.DoesNotContain(await _test.KeysAsync(Keys.KeysPrefix), k => Keys.TryParseRotating(k) is not null);
    }

    [Fact]
    public async Task A_wrap_that_somebody_put_there_makes_no_other_garbage()
    {
        var forged = Keys.Wrap(_point.Point, _point.Attempt, 99_999, AttemptId.New());
        File.Copy(Path.Combine(_test.Folder, Assert.Single(await _test.KeysAsync(Keys.WrapsOf(_point.Point, _point.Attempt)))), Path.Combine(_test.Folder, forged));
        await File.AppendAllTextAsync(Path.Combine(_test.Folder, forged), " no wrap");
        await CollectAsync();
        Assert.Equal(2, (await _test.KeysAsync(Keys.WrapsOf(_point.Point, _point.Attempt))).Count);
        Assert.Equal(_image, await ReadAsync(await _test.OpenAgainAsync(TestRepository.Secret)));
    }

    [Fact]
    public async Task Wraps_go_with_the_segments_that_they_are_for()
    {
        await _test.Store.DeleteAsync(Keys.Manifest(_point.Disk.Key, _point.Point, 1, _point.Attempt, _point.Kind, _point.StoredBytes), None);
        await CollectAsync();
        Assert.Empty(await _test.KeysAsync("data/"));
    }

    /// <summary>Lets somebody else who opened the repository do something right before the n-th change from now on.</summary>
    private void AtChange(int n, Func<KeyManager, Task> act, Action then)
    {
        var left = n;
        _test.Store.OnChange = _ =>
        {
            if (--left == 0)
            {
                _test.Store.OnChange = _ => { };
                act(new KeyManager(_test.OpenAgainAsync(TestRepository.Secret).GetAwaiter().GetResult())).GetAwaiter().GetResult();
                then();
            }
        };
    }

    private async Task CollectAsync()
    {
        for (var n = 0; n < 2; n++)
        {
            _test.Time.Now += TimeSpan.FromDays(4);
            var repository = await _test.OpenAgainAsync(TestRepository.Secret);
            await new GarbageCollector(repository, Options, _test.Time).RunAsync(false, IProgressReporter.None, None);
        }
    }

    private async Task<byte[]> ReadAsync(PointRepository repository) =>
        await Images.ApplyAsync([], await Everything.ExportFullAsync(repository, await repository.FindAsync(_point.Point, None)));
}
