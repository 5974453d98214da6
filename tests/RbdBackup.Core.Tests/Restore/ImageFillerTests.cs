using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Tests.Compact;

namespace RbdBackup.Core.Tests.Restore;

/// <summary>How a restore reads what the points of a chain hold.</summary>
public sealed class ImageFillerTests : IAsyncLifetime
{
    private const int Page = 4096;

    private TestRepository _test = null!;

    public async Task InitializeAsync() => _test = await TestRepository.OpenAsync();

    public async Task DisposeAsync() => await _test.DisposeAsync();

    [Fact]
    public async Task Each_frame_is_fetched_once_however_far_apart_its_extents_are()
    {
        // One frame of each increment lies across three windows.
        var size = (int)((2 * ChainReader.WindowBytes) + (64 << 20));
        var image = new byte[size];
        var chain = new List<Manifest> { await AddAsync(image, null, 0) };
        for (var n = 1; n < 4; n++)
        {
            chain.Add(await AddAsync(image, chain[^1], n * Page));
        }

        var fetched = new List<(string, long)>();
        _test.Store.OnRead = (key, offset, _) =>
        {
            lock (fetched)
            {
                fetched.Add((key, offset));
            }
        };
        await using var target = new MemoryImage(size);
        await new ImageFiller(_test.Repository, writesInFlight: 4).FillAsync(chain, target, target, IProgressReporter.None, CancellationToken.None);

        var frames = fetched.Where(f => Keys.TryParseSegment(f.Item1) is not null).ToList();
        Assert.Equal(chain.Count, frames.Count);
        Assert.Equal(frames.Count, frames.Distinct().Count());
        Assert.True(image.AsSpan().SequenceEqual(target.Bytes));
    }

    /// <summary>A point of one frame: a page each 32 MiB, at some place.</summary>
    private Task<Manifest> AddAsync(byte[] image, Manifest? below, int place)
    {
        var extents = new List<Extent>();
        for (var at = place; at < image.Length; at += 32 << 20)
        {
            image.AsSpan(at, Page).Fill((byte)(extents.Count + 1));
            extents.Add(new Extent(at, Page, true));
        }

        return _test.AddAsync(image, extents, below, cut: new CutParameters(8 << 20, 1 << 20, Page));
    }
}
