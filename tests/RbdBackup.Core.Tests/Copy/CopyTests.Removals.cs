using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Copy;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Tests.Copy;

/// <summary>What is removed and collected there while a copy runs.</summary>
public abstract partial class CopyTests
{
    [Fact]
    public async Task What_a_killed_copy_left_is_not_taken_by_a_collection_once_it_is_needed()
    {
        await LeaveRipeAsync();
        await CopyAllAsync();
        Assert.Equal(0, (await CollectThereAsync()).Deleted);
        await CheckAsync(_points);
    }

    [Fact]
    public async Task What_a_collection_is_deleting_is_not_counted_on()
    {
        await LeaveRipeAsync();
        List<CopyResult> meanwhile = [];
        _site.OnChange = key =>
        {
            if (key.StartsWith(Keys.DataPrefix, StringComparison.Ordinal))
            {
                _site.OnChange = _ => { };
                meanwhile = CopyAllAsync().GetAwaiter().GetResult();
            }
        };
        Assert.True((await CollectThereAsync()).Deleted > 0);
        Assert.Equal(_points.Count, meanwhile.Count);
        Assert.All(meanwhile, r => Assert.Equal(CopyState.Failed, r.State));
        Assert.Contains("is deleting", meanwhile[0].Why, StringComparison.Ordinal);
        await CheckAsync(_points.Where(p => TherePointsAsync().Result.Contains(p.Point)));

        Assert.All(await CopyAllAsync(), r => Assert.Equal(CopyState.Copied, r.State));
        await CheckAsync(_points);
        Assert.Equal(Named(await _test.KeysAsync()), Named(await KeysAsync()));
    }

    [Fact]
    public async Task A_point_whose_base_is_removed_there_while_it_is_copied_is_taken_back()
    {
        await CopyAsync(_points[0].Point);
        _site.OnChange = key =>
        {
            if (Keys.TryParseManifest(key)?.Point == _points[1].Point)
            {
                _site.OnChange = _ => { };
                RemoveThereAsync(_points[0].Point).GetAwaiter().GetResult();
            }
        };
        var result = Assert.Single(await CopyAsync(_points[1].Point));
        Assert.Equal(CopyState.Failed, result.State);
        Assert.Contains("was removed", result.Why, StringComparison.Ordinal);
        Assert.Empty(await TherePointsAsync());
    }

    private async Task RemoveThereAsync(PointId point)
    {
        var there = await OpenThereAsync();
        var manifest = await there.FindAsync(point, CancellationToken.None);
        await new PointRemover(there, new Consolidator(there)).RemoveAsync([manifest], [manifest], IProgressReporter.None, CancellationToken.None);
    }

    [Fact]
    public async Task A_collection_that_a_copy_overtakes_before_it_deletes_leaves_all_alone()
    {
        await LeaveRipeAsync();
        _site.OnChange = key =>
        {
            if (key.StartsWith(Keys.CollectingPrefix, StringComparison.Ordinal))
            {
                _site.OnChange = _ => { };
                Assert.All(CopyAllAsync().GetAwaiter().GetResult(), r => Assert.Equal(CopyState.Copied, r.State));
            }
        };
        Assert.Equal(0, (await CollectThereAsync()).Deleted);
        Assert.Equal(_points.Count, (await TherePointsAsync()).Count);
        await CheckAsync(_points);
    }

    [Fact]
    public async Task A_collection_that_died_while_it_deleted_holds_a_copy_up_for_a_grace()
    {
        await LeaveRipeAsync();
        _site.OnChange = key => _ = key.StartsWith(Keys.DataPrefix, StringComparison.Ordinal) ? throw new KilledException() : 0;
        await Assert.ThrowsAsync<KilledException>(CollectThereAsync);
        _site.OnChange = _ => { };
        Assert.All(await CopyAllAsync(), r => Assert.Equal(CopyState.Failed, r.State));
        _test.Time.Now += TimeSpan.FromDays(2);
        await CollectThereAsync();
        Assert.All(await CopyAllAsync(), r => Assert.Equal(CopyState.Copied, r.State));
        await CheckAsync(_points);
    }

    /// <summary>A copy that was killed left all but the manifests, so long ago that the other site's gc will delete it.</summary>
    private async Task LeaveRipeAsync()
    {
        _site.OnChange = key => _ = Keys.TryParseManifest(key) is null ? 0 : throw new KilledException();
        await Record.ExceptionAsync(CopyAllAsync);
        _site.OnChange = _ => { };
        _test.Time.Now += TimeSpan.FromDays(30);
        Assert.True((await CollectThereAsync()).Candidates > 0);
        _test.Time.Now += TimeSpan.FromDays(3);
    }
}
