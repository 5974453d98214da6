using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Tests.Repository;

public sealed class ListingTests : IAsyncLifetime
{
    private TestRepository _test = null!;

    private static CancellationToken None => CancellationToken.None;

    public async Task InitializeAsync() => _test = await TestRepository.OpenAsync();

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task An_aborted_point_is_none_whatever_follows_it()
    {
        var (before, aborted, never, after) = (Draft(), Draft(), Draft(), Draft());
        await CommitAsync(before, aborted, after);
        await _test.Repository.AbortAsync(aborted.Disk.Key, aborted.Point, None);
        await _test.Repository.AbortAsync(never.Disk.Key, never.Point, None);
        Assert.Equal([before.Point, after.Point], await PointsAsync());
        Assert.Equal(ErrorKind.NotFound, (await Assert.ThrowsAsync<RbdBackupException>(() => _test.Repository.FindAsync(aborted.Point, None))).Kind);
    }

    [Fact]
    public async Task An_aborted_point_before_others_that_never_committed_is_none()
    {
        var (aborted, never) = (Draft(), Draft());
        await CommitAsync(aborted);
        await _test.Repository.AbortAsync(aborted.Disk.Key, aborted.Point, None);
        await _test.Repository.AbortAsync(never.Disk.Key, never.Point, None);
        Assert.Empty(await PointsAsync());
    }

    [Fact]
    public async Task The_highest_revision_that_can_be_read_counts()
    {
        var first = Draft();
        var second = first with { Revision = 2, Reason = "the second", Attempt = AttemptId.New() };
        await CommitAsync(first, second);
        Assert.Equal("the second", (await _test.Repository.FindAsync(first.Point, None)).Reason);
        var key = Keys.Manifest(second.Disk.Key, second.Point, 2, second.Attempt, second.Kind, second.StoredBytes);
        _test.Store.Flip(key, 300, 2);
        var damages = new List<RbdBackupException>();
        var points = await _test.Repository.ReadDiskAsync(first.Disk.Key, damages.Add, None);
        Assert.Equal(first.Reason, Assert.Single(points).Reason);
        Assert.Contains(key, Assert.Single(damages).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Disks_whose_names_start_alike_are_kept_apart()
    {
        var (a, b) = (Draft("disk"), Draft("disk.1"));
        await CommitAsync(a, b);
        Assert.Equal(a.Point, Assert.Single(await _test.Repository.ReadDiskAsync(a.Disk.Key, null, None)).Point);
        Assert.Equal(b.Point, Assert.Single(await _test.Repository.ReadDiskAsync(b.Disk.Key, null, None)).Point);
    }

    [Fact]
    public async Task A_chain_with_a_hole_or_a_loop_is_refused_and_ends()
    {
        var full = Draft();
        var lost = Draft(below: full);
        var top = Draft(below: lost);
        await CommitAsync(full, top);
        var hole = await Assert.ThrowsAsync<RbdBackupException>(() => _test.Repository.ReadChainAsync(top, None));
        Assert.Equal(ErrorKind.Corrupt, hole.Kind);
        Assert.Contains(lost.Point.ToString(), hole.Message, StringComparison.Ordinal);
        await CommitAsync(lost);
        Assert.Equal([full.Point, lost.Point, top.Point], (await _test.Repository.ReadChainAsync(top, None)).Select(m => m.Point));

        var looped = Draft("loop");
        looped = looped with { Kind = PointKind.Increment, Base = new PointBase(looped.Point, looped.Disk.Key, 1) };
        await CommitAsync(looped);
        Assert.Equal(ErrorKind.Corrupt, (await Assert.ThrowsAsync<RbdBackupException>(() => _test.Repository.ReadChainAsync(looped, None))).Kind);
    }

    [Fact]
    public async Task A_repository_is_opened_again_and_a_newer_one_refused()
    {
        var again = await PointRepository.OpenAsync(_test.Store, _test.Codec, _test.Time, create: false, None);
        Assert.Equivalent(_test.Repository.Header, again.Header, strict: true);
        var header = Path.Combine(_test.Folder, Assert.Single(await _test.KeysAsync(Keys.HeaderPrefix)));
        await File.WriteAllTextAsync(header, (await File.ReadAllTextAsync(header)).Replace("\"required_features\":[]", "\"required_features\":[\"a-newer-one\"]", StringComparison.Ordinal));
        var newer = await Assert.ThrowsAsync<RbdBackupException>(() => PointRepository.OpenAsync(_test.Store, _test.Codec, _test.Time, false, None));
        Assert.Equal(ErrorKind.Unsupported, newer.Kind);
        File.Delete(header);
        var none = await Assert.ThrowsAsync<RbdBackupException>(() => PointRepository.OpenAsync(_test.Store, _test.Codec, _test.Time, false, None));
        Assert.Equal(ErrorKind.NotFound, none.Kind);
    }

    private Manifest Draft(string disk = "disk", Manifest? below = null) => TestRepository.Manifest(_test.Head(1 << 20, below, TestRepository.Disk(disk)));

    private async Task CommitAsync(params Manifest[] manifests)
    {
        foreach (var manifest in manifests)
        {
            await _test.Repository.CommitAsync(manifest, None);
        }
    }

    private async Task<List<PointId>> PointsAsync() => await _test.Repository.ListAsync(Keys.PointsPrefix, None).Select(k => k.Point).ToListAsync();
}
