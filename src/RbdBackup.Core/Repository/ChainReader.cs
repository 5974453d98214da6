using System.Runtime.CompilerServices;

namespace RbdBackup.Core.Repository;

/// <summary>A range of a point's image and where its content is.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">How long it is, in bytes.</param>
/// <param name="Segments">The segments that <paramref name="Frame"/> names; null for zeros.</param>
/// <param name="Frame">The frame that holds it; null for zeros that were stored as such.</param>
public sealed record Piece(long Offset, long Length, SegmentRun? Segments, FrameAddress? Frame)
{
    /// <summary>The first byte behind it.</summary>
    public long End => Offset + Length;
}

/// <summary>
/// Reads a point whatever its chain's length: window by window of the image, the newest point's entries before those that it stands on, so that each
/// range is read once and holes never. Memory: a window's entries and a page of each index.
/// </summary>
public sealed class ChainReader(PointRepository repository, IReadOnlyList<Manifest> chain)
{
    /// <summary>The image's bytes in a window.</summary>
    public const long WindowBytes = 256L << 20;

    /// <summary>The image's size at the point, in bytes.</summary>
    public long Size { get; } = chain[^1].Size;

    /// <summary>The pieces of each window that has any, ascending; what is in none is a hole.</summary>
    public async IAsyncEnumerable<IReadOnlyList<Piece>> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        var cursors = new List<IndexCursor>();
        foreach (var manifest in chain.Reverse())
        {
            cursors.Add(new IndexCursor(repository, manifest, await repository.ReadIndexAsync(manifest, cancel)));
        }

        for (var start = 0L; start < Size; start += WindowBytes)
        {
            var end = Math.Min(Size, start + WindowBytes);
            var window = new List<Piece>();
            foreach (var cursor in cursors)
            {
                window = Under(window, await cursor.ReadAsync(start, end, cancel));
            }

            if (window.Count > 0)
            {
                yield return window;
            }
        }
    }

    /// <summary>What <paramref name="upper"/> shows, and what <paramref name="lower"/> shows where upper has nothing; both ascending.</summary>
    private static List<Piece> Under(List<Piece> upper, IReadOnlyList<Piece> lower)
    {
        if (upper.Count == 0)
        {
            return [.. lower];
        }

        var merged = new List<Piece>(upper.Count + lower.Count);
        var next = 0;
        foreach (var piece in lower)
        {
            var at = piece.Offset;
            for (; next < upper.Count && upper[next].Offset < piece.End; next++)
            {
                if (upper[next].Offset > at)
                {
                    merged.Add(piece with { Offset = at, Length = upper[next].Offset - at });
                }

                at = Math.Max(at, upper[next].End);
                if (upper[next].End > piece.End)
                {
                    break;
                }

                merged.Add(upper[next]);
            }

            if (at < piece.End)
            {
                merged.Add(piece with { Offset = at, Length = piece.End - at });
            }
        }

        merged.AddRange(upper.Skip(next));
        return merged;
    }
}

/// <summary>Goes through an index once, in ascending windows.</summary>
internal sealed class IndexCursor(PointRepository repository, Manifest manifest, IndexDirectory directory)
{
    private int _page;
    private IReadOnlyList<IndexEntry> _entries = [];

    /// <summary>The pieces between two bytes of the image; each call starts where the one before ended.</summary>
    public async Task<IReadOnlyList<Piece>> ReadAsync(long start, long end, CancellationToken cancel)
    {
        var pieces = new List<Piece>();
        while (true)
        {
            Take(pieces, start, end);
            if (_page == directory.Pages.Count || directory.Pages[_page].Start >= end || (_entries.Count > 0 && _entries[^1].End > end))
            {
                return pieces;
            }

            _entries = await PointIndex.ReadPageAsync(repository.Store, manifest.Index.Key, directory, directory.Pages[_page++], repository.Codec, cancel);
        }
    }

    private void Take(List<Piece> pieces, long start, long end)
    {
        foreach (var entry in _entries.Where(e => e.Offset < end && e.End > Math.Max(start, pieces.Count > 0 ? pieces[^1].End : start)))
        {
            var from = Math.Max(start, entry.Offset);
            var segments = entry.Frame is { } frame ? directory.Segments[frame.Run] : null;
            pieces.Add(new Piece(from, Math.Min(end, entry.End) - from, segments, entry.Frame));
        }
    }
}
