using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Tests.Verify;

/// <summary>The whole repository's structure, what can be repaired, and the store's probes.</summary>
public sealed class RepositoryCheckTests : IAsyncLifetime
{
    private TestRepository _test = null!;
    private Manifest _full = null!, _increment = null!, _independent = null!;

    public async Task InitializeAsync()
    {
        _test = await TestRepository.OpenAsync(inMemory: true);
        var image = Images.Random(new Random(1), 100_000);
        _full = await _test.AddAsync(image, Images.Difference([], image));
        _increment = await _test.AddAsync(image, [new Extent(4096, 4096, true)], _full);
        var top = await _test.AddAsync(image, [new Extent(8192, 4096, true)], _increment);
        _independent = (await new Consolidator(_test.Repository).ConsolidateAsync(top, IProgressReporter.None, CancellationToken.None)).Point;
    }

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task A_whole_repository_is_counted()
    {
        await _test.DraftAsync(new byte[9000], [new Extent(0, 9000, true)]);
        var report = await CheckAsync();
        Assert.Equal((0L, 3L, 1, 1L), (report.FindingCount, report.Points, report.Disks, report.Superseded));
        Assert.Equal(report.StoredBytes, report.ReferredBytes + report.OrphanBytes);

        // The draft's plan, segment, index and references.
        Assert.Equal(4, report.Orphans);
        Assert.Equal((await _test.KeysAsync(Keys.DataPrefix)).Count, report.Objects);
    }

    [Fact]
    public async Task In_a_sealed_repository_the_attempts_keys_are_counted_and_a_lost_one_is_found()
    {
        await using var test = await TestRepository.OpenAsync(inMemory: true, secret: TestRepository.Secret);
        var point = await test.AddAsync(new byte[9000], [new Extent(0, 9000, true)]);
        await test.DraftAsync(new byte[9000], [new Extent(0, 9000, true)]);
        var report = await new RepositoryCheck(test.Repository).RunAsync(false, IProgressReporter.None, CancellationToken.None);
        Assert.Equal((0L, 5L, 10L), (report.FindingCount, report.Orphans, report.Objects));

        var wrap = Assert.Single(await test.KeysAsync(Keys.PointData(point.Point)), k => Keys.TryParseWrap(k) is not null);
        File.Delete(Path.Combine(test.Folder, wrap));
        report = await new RepositoryCheck(test.Repository).RunAsync(false, IProgressReporter.None, CancellationToken.None);
        Assert.StartsWith(Assert.Single(report.Findings).Where[..^1], wrap, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Lost_references_are_written_again_byte_for_byte_and_only_on_request(bool merged)
    {
        var (lost, path) = merged ? (_independent, Path.Combine(_test.Folder, _independent.References.Key)) : (_increment, Path.Combine(_test.Folder, _increment.References.Key));
        var bytes = await File.ReadAllBytesAsync(path);
        Delete(lost.References.Key);
        var report = await CheckAsync();
        Assert.Contains(report.Findings, f => f.Where == lost.References.Key);
        Assert.False(File.Exists(path));

        report = await CheckAsync(repair: true);
        Assert.Equal((0L, lost.References.Key), (report.FindingCount, Assert.Single(report.Mended).Where));
        Assert.Equal(bytes, await File.ReadAllBytesAsync(path));
        Assert.Equal(0, (await CheckAsync()).FindingCount);
    }

    [Fact]
    public async Task What_can_t_be_repaired_is_named_and_left_alone()
    {
        var segment = (await _test.KeysAsync(Keys.PointData(_full.Point))).First(k => Keys.TryParseSegment(k) is not null);
        Delete(segment);
        Delete(_independent.References.Key);
        Delete(_independent.Index.Key);
        await File.WriteAllTextAsync(Path.Combine(_test.Folder, _increment.Key), "not a manifest");
        var keys = await _test.KeysAsync();
        var report = await CheckAsync(repair: true);
        Assert.Contains(report.Findings, f => f.Where == segment);
        Assert.Contains(report.Findings, f => f.Where == _independent.References.Key);
        Assert.Contains(report.Findings, f => f.Where == _increment.Key);
        Assert.Empty(report.Mended);
        Assert.Equal(keys, await _test.KeysAsync());
    }

    [Fact]
    public async Task A_base_that_is_missing_is_found()
    {
        Delete(_full.Key);
        Assert.Contains((await CheckAsync()).Findings, f => f.Where == _increment.Key && f.What.Contains(_full.Point.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_store_is_tried_out_and_left_as_it_was()
    {
        var keys = await _test.KeysAsync();
        var probes = await new StoreProber(_test.Store, TimeProvider.System).RunAsync(CancellationToken.None);
        Assert.Equal(["read after write", "listing after write", "range read", "clock", "deletion"], probes.Select(p => p.Probe));
        Assert.All(probes, p => Assert.Equal(ProbeOutcome.Good, p.Outcome));
        Assert.Equal(keys, await _test.KeysAsync());
    }

    [Fact]
    public async Task A_store_with_faults_is_described()
    {
        _test.Store.Hidden = key => key.StartsWith(StoreProber.Prefix, StringComparison.Ordinal);
        _test.Store.OnRead = (key, offset, bytes) => _ = key.StartsWith(StoreProber.Prefix, StringComparison.Ordinal) && offset > 0 ? bytes.Span[0] ^= 1 : (byte)0;
        var probes = (await new StoreProber(_test.Store, _test.Time).RunAsync(CancellationToken.None)).ToDictionary(p => p.Probe, p => p.Outcome);
        Assert.Equal(ProbeOutcome.Warning, probes["listing after write"]);
        Assert.Equal(ProbeOutcome.Bad, probes["range read"]);
        Assert.Equal(ProbeOutcome.Warning, probes["clock"]);
    }

    private Task<RepositoryReport> CheckAsync(bool repair = false) => new RepositoryCheck(_test.Repository).RunAsync(repair, IProgressReporter.None, CancellationToken.None);

    private void Delete(string key) => File.Delete(Path.Combine(_test.Folder, key));
}
