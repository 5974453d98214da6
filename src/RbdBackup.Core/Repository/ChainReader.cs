using System.Runtime.CompilerServices;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>
/// Reads a point whatever its chain's length: window by window of the image, the newest point's entries before those that it stands on, so that each
/// range is read once and holes never. Where an object is gone, because the point got a newer revision meanwhile, it goes on with that. Memory: a window's
/// entries and a page of each index.
/// </summary>
public sealed class ChainReader(PointRepository repository, IReadOnlyList<Manifest> chain)
{
    /// <summary>The image's bytes in a window.</summary>
    public const long WindowBytes = 256L << 20;

    private IReadOnlyList<Manifest> _chain = chain;
    private ChainCursor? _cursor;

    /// <summary>The image's size at the point, in bytes.</summary>
    public long Size { get; } = chain[^1].Size;

    /// <summary>The pieces of each window that has any, ascending; what is in none is a hole.</summary>
    /// <exception cref="RbdBackupException">Corrupt; NotFound: the point was removed meanwhile.</exception>
    public async IAsyncEnumerable<IReadOnlyList<Piece>> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        for (var start = 0L; start < Size; start += WindowBytes)
        {
            if (await ReadAsync(start, Math.Min(Size, start + WindowBytes), cancel) is { Count: > 0 } window)
            {
                yield return window;
            }
        }
    }

    /// <summary>The pieces between two bytes of the image; each call starts where the one before ended, or behind.</summary>
    /// <exception cref="RbdBackupException">As of the other.</exception>
    public async Task<IReadOnlyList<Piece>> ReadAsync(long start, long end, CancellationToken cancel)
    {
        try
        {
            _cursor ??= await ChainCursor.OpenAsync(repository, _chain, cancel);
            return await _cursor.ReadAsync(start, Math.Min(end, Size), cancel);
        }
        catch (RbdBackupException missing) when (missing.Kind == ErrorKind.NotFound)
        {
            return await ReadAgainAsync(start, end, missing, cancel);
        }
    }

    /// <summary>The pieces between two bytes of the image by the newest revisions, for whoever found that a frame is gone; reading goes on from there.</summary>
    /// <exception cref="RbdBackupException">Corrupt: there is no newer revision: the object is lost. NotFound: the point was removed meanwhile.</exception>
    public async Task<IReadOnlyList<Piece>> ReadAgainAsync(long start, long end, RbdBackupException missing, CancellationToken cancel)
    {
        var point = await repository.FindNewestAsync(_chain[^1], cancel) ?? throw new RbdBackupException(
            ErrorKind.NotFound, $"point {_chain[^1].Point} of {_chain[^1].Disk.Spec} was removed while it was read", "'rbdbackup list' shows the points that are there.", missing);
        var newest = await repository.ReadChainAsync(point, cancel);
        if (newest.Select(m => (m.Point, m.Revision, m.Attempt)).SequenceEqual(_chain.Select(m => (m.Point, m.Revision, m.Attempt))))
        {
            throw new RbdBackupException(ErrorKind.Corrupt, $"{missing.Message}, and point {point.Point} needs it", missing.Remedy, missing);
        }

        (_chain, _cursor) = (newest, null);
        return await ReadAsync(start, end, cancel);
    }
}

/// <summary>Goes through a chain's indexes at once, the newest before those below.</summary>
internal sealed class ChainCursor
{
    private readonly List<(IIndexCursor Cursor, long Limit)> _indexes = [];

    private ChainCursor()
    {
    }

    /// <summary>Opens the indexes of a chain, the full first.</summary>
    public static async Task<ChainCursor> OpenAsync(PointRepository repository, IEnumerable<Manifest> chain, CancellationToken cancel)
    {
        var opened = new ChainCursor();
        var limit = long.MaxValue;
        foreach (var manifest in chain.Reverse())
        {
            // What a point below has behind the size of one above was cut off there, and grew again as zeros.
            limit = Math.Min(limit, manifest.Size);
            opened._indexes.Add((await repository.OpenIndexAsync(manifest, cancel), limit));
        }

        return opened;
    }

    /// <summary>What the chain shows between two bytes of the image; each call starts where the one before ended, or behind.</summary>
    public async Task<List<Piece>> ReadAsync(long start, long end, CancellationToken cancel)
    {
        var window = new List<Piece>();
        foreach (var (cursor, limit) in _indexes.Where(i => i.Limit > start))
        {
            window = Pieces.Under(window, await cursor.ReadAsync(start, Math.Min(end, limit), cancel));
        }

        return window;
    }
}
