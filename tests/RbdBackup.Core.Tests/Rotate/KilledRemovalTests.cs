using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>A removal in a repository that is not sealed.</summary>
public sealed class PlainKilledRemovalTests() : KilledRemovalTests(null);

/// <summary>A removal in a sealed repository, where no mark of removal is like another.</summary>
public sealed class SealedKilledRemovalTests() : KilledRemovalTests(TestRepository.Secret);

/// <summary>A removal is killed right after it voided a point on which, a moment before, a backup was committed.</summary>
public abstract class KilledRemovalTests : IAsyncLifetime
{
    private static readonly GarbageOptions Options = new(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
    private readonly string? _secret;
    private readonly byte[] _image;
    private readonly byte[] _next;
    private TestRepository _test = null!;
    private Manifest _full = null!;
    private Manifest _above = null!;

    protected KilledRemovalTests(string? secret)
    {
        _secret = secret;
        var random = new Random(5);
        _image = Images.Random(random, 60_000);
        _next = Images.Changed(random, _image);
    }

    public async Task InitializeAsync()
    {
        _test = await TestRepository.OpenAsync(secret: _secret);
        _full = await _test.AddAsync(_image, Images.Difference([], _image));
        _above = await _test.DraftAsync(_next, Images.Difference(_image, _next), _full);
        _test.Store.OnChange = key =>
        {
            if (key == Keys.Aborted(_full.Disk.Key, _full.Point))
            {
                _test.Store.OnChange = _ => { };
                _test.Repository.CommitAsync(_above, CancellationToken.None).GetAwaiter().GetResult();
                _test.Store.DieAt(2);
            }
        };
        await Assert.ThrowsAsync<KilledException>(() => RemoverOf().RemoveAsync([_full], [_full], IProgressReporter.None, CancellationToken.None));
        _test.Store.OnChange = _ => { };
        Assert.NotNull(await _test.Store.StatAsync(Keys.Aborted(_full.Disk.Key, _full.Point), CancellationToken.None));
    }

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task The_point_above_is_read_and_collections_leave_what_it_needs()
    {
        await AssertAllIsReadAsync();
        await CollectAllAsync();
        await AssertAllIsReadAsync();
        await new Consolidator(_test.Repository).ConsolidateAsync(_above, IProgressReporter.None, CancellationToken.None);
        await CollectAllAsync();
        await AssertOnlyTheOtherIsLeftAsync();
    }

    [Fact]
    public async Task The_same_prune_again_ends_it()
    {
        var runner = new PruneRunner(_test.Repository, RemoverOf());
        await runner.RunAsync(new PruneAsk([_full.Point], false, true, false), e => throw e, IProgressReporter.None, CancellationToken.None);
        await CollectAllAsync();
        await AssertOnlyTheOtherIsLeftAsync();
    }

    [Fact]
    public async Task The_next_rotation_ends_it()
    {
        var rule = new RotationRule(["a"], [new LastRule(1)], TimeSpan.Zero);
        var runner = new RotateRunner(_test.Repository, RemoverOf(), _ => rule, Options.JobDeadline, _test.Time);
        Assert.Null((await runner.RunAsync(false, e => throw e, IProgressReporter.None, CancellationToken.None).SingleAsync()).Error);
        await CollectAllAsync();
        await AssertOnlyTheOtherIsLeftAsync();
    }

    private PointRemover RemoverOf() => new(_test.Repository, new Consolidator(_test.Repository));

    private async Task CollectAllAsync()
    {
        for (var n = 0; n < 6; n++)
        {
            _test.Time.Now += TimeSpan.FromDays(4);
            await new GarbageCollector(_test.Repository, Options, _test.Time).RunAsync(false, IProgressReporter.None, CancellationToken.None);
        }
    }

    private async Task AssertAllIsReadAsync()
    {
        var point = Assert.Single(await _test.Repository.ReadAllAsync(Keys.PointsPrefix, e => throw e, CancellationToken.None).ToListAsync());
        Assert.Equal(_above.Point, point.Point);
        Assert.True((await Images.ApplyAsync([], await _test.ExportFullAsync(point))).AsSpan().SequenceEqual(_next));
    }

    private async Task AssertOnlyTheOtherIsLeftAsync()
    {
        await AssertAllIsReadAsync();
        Assert.Equal(_above.Point, Keys.TryParseManifest(Assert.Single(await _test.KeysAsync(Keys.PointsPrefix)))!.Point);
        Assert.DoesNotContain(await _test.KeysAsync(Keys.DataPrefix), k => Keys.PointOfData(k) == _full.Point && Keys.TryParseSegment(k) is null && Keys.TryParseWrap(k) is null);
    }
}
