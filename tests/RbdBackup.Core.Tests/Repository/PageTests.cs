using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Zstd;

namespace RbdBackup.Core.Tests.Repository;

/// <summary>What is stored in pages with a directory behind them: plans and indexes.</summary>
public sealed class PageTests : IAsyncLifetime
{
    private TestRepository _test = null!;

    public async Task InitializeAsync() => _test = await TestRepository.OpenAsync("zstd:1");

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Pages.MaxEntries)]
    [InlineData(Pages.MaxEntries + 1)]
    [InlineData(50_000)]
    public async Task A_plan_comes_back(int count)
    {
        var extents = Images.Extents(new Random(count), count, 1 << 24);
        var head = _test.Head(1L << 50);
        var reference = await _test.PutPlanAsync(head, extents, AttemptId.New());
        var stored = (await _test.Store.StatAsync(reference.Key, CancellationToken.None))!;
        Assert.Equal(reference.Length, stored.Length);
        using var other = CodecFactory.Create("none");
        var plan = await PointPlan.ReadAsync(_test.Store, stored, other, CancellationToken.None);
        Assert.Equal(extents, plan.Extents);
        Assert.Equivalent(head, plan.Head, strict: true);
    }

    [Fact]
    public async Task A_plan_that_does_not_say_where_its_extents_are_is_damaged()
    {
        var members = JsonSerializer.SerializeToNode(_test.Head(1), RepositoryJson.Default.PlanHead)!.AsObject();
        Assert.True(members.Remove("pages"));
        var bytes = new ArrayBufferWriter<byte>();
        TailDirectory.Write(bytes, members, (JsonTypeInfo<JsonObject>)JsonSerializerOptions.Default.GetTypeInfo(typeof(JsonObject)));
        await _test.Store.PutAsync("data/plan", new ReadOnlySequence<byte>(bytes.WrittenMemory), CancellationToken.None);
        var stored = (await _test.Store.StatAsync("data/plan", CancellationToken.None))!;
        var e = await Assert.ThrowsAsync<RbdBackupException>(() => PointPlan.ReadAsync(_test.Store, stored, _test.Codec, CancellationToken.None));
        Assert.Equal(ErrorKind.Corrupt, e.Kind);
        Assert.Contains("pages", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(Pages.MaxEntries)]
    [InlineData(30_000)]
    public async Task An_index_comes_back_with_frames_of_several_runs(int count)
    {
        var random = new Random(count);
        var point = PointId.New(_test.Time.Now);
        SegmentRun[] runs =
        [
            new(point, AttemptId.New(), 0, 8, 100), new(PointId.New(_test.Time.Now), AttemptId.New(), 3, int.MaxValue, 1L << 40),
        ];
        var frame = new FrameAddress(0, 0, 0, 1);
        var entries = new List<IndexEntry>();
        foreach (var extent in Images.Extents(random, count, int.MaxValue))
        {
            frame = random.Next(2) == 0 ? frame : new FrameAddress(random.Next(2), random.Next(3, 9), random.NextInt64(1L << 40), random.Next(1, int.MaxValue));
            entries.Add(new IndexEntry(extent.Offset, extent.Length, extent.Exists ? frame : null));
        }

        await _test.Store.PutAsync("data/index", PointIndex.Write(point, runs, entries, _test.Codec), CancellationToken.None);
        var length = (await _test.Store.StatAsync("data/index", CancellationToken.None))!.Length;
        var (directory, _) = await TailDirectory.ReadAsync(
            _test.Store, "data/index", length, RepositoryJson.Default.IndexDirectory, CancellationToken.None);
        Assert.Equal(runs, directory.Segments);
        var read = new List<IndexEntry>();
        foreach (var page in directory.Pages)
        {
            read.AddRange(await PointIndex.ReadPageAsync(_test.Store, "data/index", directory, page, _test.Codec, CancellationToken.None));
        }

        Assert.Equal(entries, read);
    }

    [Fact]
    public async Task A_directory_longer_than_the_first_read_comes_back()
    {
        var list = new GarbageList(1, _test.Time.Now, [.. Enumerable.Range(0, 5000).Select(n => $"data/some-key-{n}")]);
        var output = new ArrayBufferWriter<byte>();
        output.Write(new byte[777]);
        TailDirectory.Write(output, list, RepositoryJson.Default.GarbageList);
        await _test.Store.PutAsync("data/long", new ReadOnlySequence<byte>(output.WrittenMemory), CancellationToken.None);
        var (read, start) = await TailDirectory.ReadAsync(
            _test.Store, "data/long", output.WrittenCount, RepositoryJson.Default.GarbageList, CancellationToken.None);
        Assert.Equal(list.Candidates, read.Candidates);
        Assert.Equal(777, start);
    }

    [Fact]
    public async Task Every_changed_bit_and_every_cut_of_a_plan_is_found()
    {
        var reference = await _test.PutPlanAsync(_test.Head(1L << 40), Images.Extents(new Random(5), 20, 1 << 20), AttemptId.New());
        var stored = (await _test.Store.StatAsync(reference.Key, CancellationToken.None))!;
        var whole = await PointPlan.ReadAsync(_test.Store, stored, _test.Codec, CancellationToken.None);
        for (var bit = 0; bit < stored.Length * 8; bit++)
        {
            _test.Store.Flip(stored.Key, bit / 8, bit % 8);
            try
            {
                // zstd's own header has bits that mean nothing.
                Assert.Equal(whole.Extents, (await PointPlan.ReadAsync(_test.Store, stored, _test.Codec, CancellationToken.None)).Extents);
                Assert.InRange(bit / 8, 4, 5);
            }
            catch (RbdBackupException e)
            {
                Assert.Equal(ErrorKind.Corrupt, e.Kind);
                Assert.Contains(stored.Key, e.Message, StringComparison.Ordinal);
            }
        }

        _test.Store.OnRead = (_, _, _) => { };
        for (var length = 0L; length < stored.Length; length++)
        {
            var cut = stored with { Length = length };
            Assert.Equal(
                ErrorKind.Corrupt,
                (await Assert.ThrowsAsync<RbdBackupException>(() => PointPlan.ReadAsync(_test.Store, cut, _test.Codec, CancellationToken.None))).Kind);
        }
    }
}
