using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Tests.Repository;

public sealed class SegmentStoreTests : IAsyncLifetime
{
    private readonly byte[] _image = new byte[200_000];
    private TestRepository _test = null!;
    private PlanHead _head = null!;
    private ObjectReference _plan = null!;
    private IReadOnlyList<StoredSegment> _stored = null!;

    public async Task InitializeAsync()
    {
        new Random(1).NextBytes(_image);
        _test = await TestRepository.OpenAsync();
        var extents = Images.Difference(new byte[_image.Length], _image);
        _head = _test.Head(_image.Length);
        _plan = await _test.PutPlanAsync(_head, extents, AttemptId.New());
        _stored = await _test.PutSegmentsAsync(_image, extents, _head, AttemptId.New(), _plan);
        Assert.True(_stored.Count >= 3);
    }

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public async Task A_later_attempt_finds_what_an_earlier_one_stored() =>
        Assert.Equivalent(_stored.ToDictionary(s => s.Number), await FindAsync(_plan), strict: true);

    [Fact]
    public async Task Segments_of_another_plan_are_not_used() => Assert.Empty(await FindAsync(_plan with { Sha256 = new string('0', 64) }));

    [Fact]
    public async Task A_segment_whose_footer_is_damaged_is_not_used()
    {
        var key = Keys.Segment(_head.Point, 1, _stored[1].Attempt);
        var footer = _stored[1].Frames.Sum(f => f.Length);
        for (var at = footer; at < _stored[1].Length; at++)
        {
            _test.Store.Flip(key, at, at % 8);
            Assert.Equal(_stored.Count - 1, (await FindAsync(_plan)).Count);
        }
    }

    [Fact]
    public async Task A_segment_that_was_cut_off_or_put_under_another_key_is_not_used()
    {
        var path = Path.Combine(_test.Folder, Keys.Segment(_head.Point, 1, _stored[1].Attempt));
        File.Move(path, Path.Combine(_test.Folder, Keys.Segment(_head.Point, 99, _stored[1].Attempt)));
        var cut = Path.Combine(_test.Folder, Keys.Segment(_head.Point, 2, _stored[2].Attempt));
        await File.WriteAllBytesAsync(cut, (await File.ReadAllBytesAsync(cut))[5..]);
        var found = await FindAsync(_plan);
        Assert.DoesNotContain(99, found.Keys);
        Assert.DoesNotContain(1, found.Keys);
        Assert.DoesNotContain(2, found.Keys);
    }

    private Task<IReadOnlyDictionary<int, StoredSegment>> FindAsync(ObjectReference plan) =>
        new SegmentStore(_test.Repository, _head.Point, AttemptId.New(), plan).FindAsync(CancellationToken.None);
}
