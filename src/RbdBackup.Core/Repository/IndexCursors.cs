using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>Goes through an index once, in ascending windows.</summary>
internal interface IIndexCursor
{
    /// <summary>The pieces between two bytes of the image; each call starts where the one before ended, or behind.</summary>
    /// <exception cref="RbdBackupException">NotFound; Corrupt.</exception>
    Task<List<Piece>> ReadAsync(long start, long end, CancellationToken cancel);
}

/// <summary>Goes through ascending pages. Memory: a page.</summary>
internal sealed class PageCursor(IReadOnlyList<Page> pages, Func<Page, CancellationToken, Task<List<Piece>>> read)
{
    private int _page;
    private List<Piece> _pieces = [];
    private int _next;

    public async Task ReadAsync(List<Piece> into, long start, long end, CancellationToken cancel)
    {
        while (true)
        {
            for (; _next < _pieces.Count && _pieces[_next].Offset < end; _next++)
            {
                var piece = _pieces[_next].Clip(start, end);
                if (piece.Length > 0)
                {
                    into.Add(piece);
                }

                if (_pieces[_next].End > end)
                {
                    return;
                }
            }

            while (_page < pages.Count && pages[_page].End <= start)
            {
                _page++;
            }

            if (_next < _pieces.Count || _page == pages.Count || pages[_page].Start >= end)
            {
                return;
            }

            (_pieces, _next) = (await read(pages[_page++], cancel), 0);
        }
    }
}

/// <summary>A point's own index: what it changed.</summary>
internal sealed class IndexCursor : IIndexCursor
{
    private readonly PageCursor _pages;

    public IndexCursor(IObjectStore store, IFrameCodec codec, string key, IndexDirectory directory) =>
        _pages = new PageCursor(directory.Pages, async (page, cancel) =>
            Name(await PointIndex.ReadPageAsync(store, key, directory, page, codec, cancel), directory, key));

    public async Task<List<Piece>> ReadAsync(long start, long end, CancellationToken cancel)
    {
        var pieces = new List<Piece>();
        await _pages.ReadAsync(pieces, start, end, cancel);
        return pieces;
    }

    private static List<Piece> Name(IReadOnlyList<IndexEntry> entries, IndexDirectory directory, string key)
    {
        var pieces = new List<Piece>(entries.Count);
        var (last, name) = (default(FrameAddress), (FrameName?)null);
        foreach (var entry in entries)
        {
            if (entry.Frame is { } frame && (name is null || frame != last))
            {
                var run = directory.Segments[frame.Run];
                name = frame.Segment >= run.First && frame.Segment <= run.Last
                    ? new FrameName(run.Point, run.Attempt, frame.Segment, frame.Offset, frame.Length)
                    : throw RepositoryFormat.Corrupt(key, $"names segment {frame.Segment}, which is in none of its runs");
                last = frame;
            }

            pieces.Add(new Piece(entry.Offset, entry.Length, entry.Frame is null ? null : name));
        }

        return pieces;
    }
}

/// <summary>A merged index: all that a point shows. Memory: a page of the root, and one of each layer of a leaf.</summary>
internal sealed class MergedCursor(IObjectStore store, IFrameCodec codec, string key, MergedDirectory directory) : IIndexCursor
{
    private readonly LeafReader _leaves = new(store, codec, key, directory);
    private readonly PageSource _source = new(store, codec);
    private List<PageCursor> _layers = [];

    /// <summary>What a leaf covers, in bytes.</summary>
    public long LeafBytes => directory.LeafBytes;

    /// <summary>How many merged indexes it was built on.</summary>
    public int Generation => directory.Generation;

    /// <summary>The leaf that was read last; null where it has nothing.</summary>
    public Leaf? Leaf { get; private set; }

    private long _number = -1;

    public async Task<List<Piece>> ReadAsync(long start, long end, CancellationToken cancel)
    {
        var pieces = new List<Piece>();
        for (var number = start / LeafBytes; number * LeafBytes < end; number++)
        {
            await GoToAsync(number, cancel);
            var (from, to) = (Math.Max(start, number * LeafBytes), Math.Min(end, (number + 1) * LeafBytes));
            var shown = new List<Piece>();
            foreach (var layer in _layers)
            {
                var below = new List<Piece>();
                await layer.ReadAsync(below, from, to, cancel);
                shown = Pieces.Under(shown, below);
            }

            pieces.AddRange(shown);
        }

        return pieces;
    }

    private async Task GoToAsync(long number, CancellationToken cancel)
    {
        if (number != _number)
        {
            Leaf = await _leaves.FindAsync(number, cancel);
            _layers = [.. (Leaf?.Layers ?? []).Select(layer => new PageCursor(
                layer.Pages, async (page, c) => LeafPage.Read(await _source.ReadAsync(layer.Object, page, c), page, layer.Object.Key)))];
            _number = number;
        }
    }
}
