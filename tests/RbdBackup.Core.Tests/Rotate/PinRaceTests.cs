using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>A pin and a removal of its point at the same time: a pin that was answered with success holds.</summary>
public sealed class PinRaceTests : IAsyncLifetime
{
    private static readonly GarbageOptions Options = new(TimeSpan.FromDays(2), TimeSpan.FromDays(1), TimeSpan.FromDays(7));
    private readonly byte[] _image = Images.Random(new Random(5), 60_000);
    private TestRepository _test = null!;
    private Manifest _point = null!;

    public async Task InitializeAsync()
    {
        _test = await TestRepository.OpenAsync(inMemory: true);
        _ = await AddAsync();
    }

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task A_pin_at_any_change_of_a_removal_holds_or_fails()
    {
        var (held, failed) = (0, 0);
        for (var n = 1; ; n++)
        {
            _point = await AddAsync();
            var (left, came, error) = (n, false, (Exception?)null);
            _test.Store.OnChange = _ =>
            {
                if (--left == 0)
                {
                    (came, error) = (true, Record.ExceptionAsync(PinAsync).GetAwaiter().GetResult());
                }
            };
            var removal = await Record.ExceptionAsync(PruneAsync);
            _test.Store.OnChange = _ => { };
            if (!came)
            {
                break;
            }

            Assert.Equal(error is null, await IsThereAsync());
            Assert.Equal(error is null ? ErrorKind.Refused : null, (removal as RbdBackupException)?.Kind);
            Assert.True(error is null or RbdBackupException { Kind: ErrorKind.Busy or ErrorKind.NotFound }, error?.ToString());
            (held, failed) = (held + (error is null ? 1 : 0), failed + (error is null ? 0 : 1));
            Assert.Empty(await _test.KeysAsync(Keys.CollectingPrefix));
        }

        Assert.True(held > 0 && failed > 0, $"{held} held and {failed} failed");
    }

    [Fact]
    public async Task A_removal_at_the_change_of_a_pin_makes_it_fail()
    {
        _point = await AddAsync();
        _test.Store.OnChange = _ =>
        {
            _test.Store.OnChange = _ => { };
            PruneAsync().GetAwaiter().GetResult();
        };
        Assert.Equal(ErrorKind.NotFound, (await Assert.ThrowsAsync<RbdBackupException>(PinAsync)).Kind);
        Assert.False(await IsThereAsync());
    }

    [Fact]
    public async Task A_removal_that_fails_holds_no_pin_up()
    {
        _point = await AddAsync();
        _test.Store.OnChange = key => _ = Keys.TryParseAborted(key) is null ? 0 : throw new RbdBackupException(ErrorKind.Unavailable, "the store does not answer");
        Assert.Equal(ErrorKind.Unavailable, (await Assert.ThrowsAsync<RbdBackupException>(PruneAsync)).Kind);
        _test.Store.OnChange = _ => { };
        Assert.Empty(await _test.KeysAsync(Keys.CollectingPrefix));
        await PinAsync();
        Assert.True(await IsThereAsync());
    }

    [Fact]
    public async Task Killed_at_any_change_a_removal_is_ended_by_the_same_one_or_leaves_a_point_that_is_pinned()
    {
        for (var n = 1; ; n++)
        {
            _point = await AddAsync();
            _test.Store.DieAt(n);
            var died = await Record.ExceptionAsync(PruneAsync) is KilledException;
            _test.Store.OnChange = _ => { };
            if (!died)
            {
                return;
            }

            if (await Record.ExceptionAsync(PinAsync) is { } error)
            {
                Assert.True(error is RbdBackupException { Kind: ErrorKind.Busy or ErrorKind.NotFound }, error.ToString());
                _test.Time.Now += TimeSpan.FromDays(4);
                await new GarbageCollector(_test.Repository, Options, _test.Time).RunAsync(false, IProgressReporter.None, CancellationToken.None);
                Assert.Empty(await _test.KeysAsync(Keys.CollectingPrefix));
            }

            if (await IsThereAsync())
            {
                await PinAsync();
                Assert.Equal(ErrorKind.Refused, (await Assert.ThrowsAsync<RbdBackupException>(PruneAsync)).Kind);
                Assert.True(await IsThereAsync());
            }
            else
            {
                await PruneAgainAsync();
                Assert.DoesNotContain(await _test.KeysAsync(Keys.PointsPrefix), k => Keys.TryParseManifest(k)?.Point == _point.Point);
            }
        }
    }

    private Task<Manifest> AddAsync() => _test.AddAsync(_image, Images.Difference([], _image));

    private Task PinAsync() => new PinStore(_test.Repository).PutAsync(_point, _test.Time.Now.AddDays(30), "a test", "root", CancellationToken.None);

    private async Task PruneAsync() => await new PruneRunner(_test.Repository, new PointRemover(_test.Repository, new Consolidator(_test.Repository)))
        .RunAsync(new PruneAsk([_point.Point], false, true, false), e => throw e, IProgressReporter.None, CancellationToken.None);

    /// <summary>Where the mark has gone too, there is nothing that could be pruned.</summary>
    private async Task PruneAgainAsync() =>
        Assert.True(await Record.ExceptionAsync(PruneAsync) is null or RbdBackupException { Kind: ErrorKind.NotFound });

    private async Task<bool> IsThereAsync() => await _test.Repository.FindNewestAsync(_point, CancellationToken.None) is not null;
}
