using System.Runtime.CompilerServices;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Compact;

/// <summary>What a point shows in a leaf.</summary>
/// <param name="Pieces">The pieces, ascending.</param>
/// <param name="Layers">The layers that say so; null where the point's leaves are of another size.</param>
internal sealed record LeafView(List<Piece> Pieces, IReadOnlyList<LeafLayer>? Layers);

/// <summary>Goes through the merged indexes of several points side by side, leaf by leaf. Memory: a leaf's pieces and a page of each layer, for each point.</summary>
internal sealed class LeafScan
{
    private readonly IReadOnlyList<Manifest> _points;
    private readonly List<MergedCursor> _cursors = [];

    private LeafScan(IReadOnlyList<Manifest> points) => _points = points;

    /// <summary>What a leaf covers, in bytes.</summary>
    public long LeafBytes => _cursors[0].LeafBytes;

    /// <summary>The image's size at the largest of the points, in bytes.</summary>
    public long Size => _points.Max(p => p.Size);

    /// <summary>How many merged indexes a point's own was built on.</summary>
    public int Generation(int point) => _cursors[point].Generation;

    /// <summary>Opens the indexes of points, at least one; all have merged ones.</summary>
    public static async Task<LeafScan> OpenAsync(PointRepository repository, IReadOnlyList<Manifest> points, CancellationToken cancel)
    {
        var scan = new LeafScan(points);
        foreach (var point in points)
        {
            scan._cursors.Add((MergedCursor)await repository.OpenIndexAsync(point, cancel));
        }

        return scan;
    }

    /// <summary>The leaves, ascending, each with what every point shows in it.</summary>
    public async IAsyncEnumerable<(long Number, IReadOnlyList<LeafView> Views)> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        for (var number = 0L; number * LeafBytes < Size; number++)
        {
            var views = new List<LeafView>(_points.Count);
            foreach (var (n, cursor) in _cursors.Index())
            {
                var pieces = await ReadAsync(cursor, number * LeafBytes, Math.Min(_points[n].Size, (number + 1) * LeafBytes), cancel);
                views.Add(new LeafView(pieces, cursor.LeafBytes != LeafBytes ? null : cursor.Leaf?.Number == number ? cursor.Leaf.Layers : []));
            }

            yield return (number, views);
        }
    }

    private static async Task<List<Piece>> ReadAsync(MergedCursor cursor, long start, long end, CancellationToken cancel)
    {
        var pieces = new List<Piece>();
        for (; start < end; start += ChainReader.WindowBytes)
        {
            Pieces.Append(pieces, await cursor.ReadAsync(start, Math.Min(end, start + ChainReader.WindowBytes), cancel));
        }

        return pieces;
    }
}
