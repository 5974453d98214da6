using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>What was read of a chain is old by the time that it is used: another removal made its points independent, and took what they stood on.</summary>
public sealed class StaleReadingTests : IAsyncLifetime
{
    private readonly Random _random = new(21);
    private readonly List<Manifest> _chain = [];
    private readonly List<byte[]> _images = [];
    private TestRepository _test = null!;

    public async Task InitializeAsync()
    {
        _test = await TestRepository.OpenAsync();
        for (var n = 0; n < 4; n++)
        {
            var before = n == 0 ? [] : _images[^1];
            _images.Add(n == 0 ? Images.Random(_random, 60_000) : Images.Changed(_random, before));
            _chain.Add(await _test.AddAsync(_images[n], Images.Difference(before, _images[n]), n == 0 ? null : _chain[^1]));
        }
    }

    public async Task DisposeAsync() => await _test.DisposeAsync();

    [Fact]
    public async Task A_chain_whose_middle_was_made_independent_meanwhile_is_read_from_there()
    {
        await RemoveAsync(_chain[0], _chain[1]);

        var chain = await _test.Repository.ReadChainAsync(_chain[3], CancellationToken.None, [_chain[1], _chain[2]]);

        Assert.Equal([(_chain[2].Point, 2), (_chain[3].Point, 1)], chain.Select(m => (m.Point, m.Revision)));
    }

    [Fact]
    public async Task A_prune_of_a_point_that_another_prune_removed_meanwhile_finds_it_gone_and_breaks_nothing()
    {
        _test.Store.OnRead = (key, _, _) =>
        {
            if (key == _chain[0].Key)
            {
                _test.Store.OnRead = (_, _, _) => { };
                RemoveAsync(_chain[0]).GetAwaiter().GetResult();
                throw new RbdBackupException(ErrorKind.NotFound, $"{key} went before it could be read");
            }
        };
        var runner = new PruneRunner(_test.Repository, RemoverOf());

        var plan = await runner.RunAsync(new PruneAsk([_chain[0].Point], false, true, false), _ => { }, IProgressReporter.None, CancellationToken.None);

        Assert.Empty(plan.Drops);
        var left = await _test.Repository.ReadAllAsync(Keys.PointsPrefix, e => throw e, CancellationToken.None).ToListAsync();
        Assert.Equal(_chain.Skip(1).Select(p => p.Point), left.Select(p => p.Point));
        foreach (var (point, image) in left.Zip(_images.Skip(1)))
        {
            Assert.True((await Images.ApplyAsync([], await _test.ExportFullAsync(point))).AsSpan().SequenceEqual(image));
        }
    }

    private PointRemover RemoverOf() => new(_test.Repository, new Consolidator(_test.Repository));

    private Task RemoveAsync(params Manifest[] drops) => RemoverOf().RemoveAsync(drops, _chain, IProgressReporter.None, CancellationToken.None);
}
