using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Restore;

/// <summary>What differs between two points, by the frames that they show. Pure.</summary>
public static class PointDifference
{
    /// <summary>The changes, ascending: pieces of <paramref name="after"/> that are not the same range of the same frame in <paramref name="before"/>, and zeros (no frame).</summary>
    /// <param name="before">What the one point shows of a window, ascending; what is in no piece is zeros.</param>
    /// <param name="after">What the other point shows of the same window.</param>
    public static IReadOnlyList<Piece> Between(IReadOnlyList<Piece> before, IReadOnlyList<Piece> after)
    {
        var changes = new List<Piece>();
        var (b, a, at) = (0, 0, 0L);
        while (b < before.Count || a < after.Count)
        {
            var (old, now) = (Next(before, b, at), Next(after, a, at));
            at = Math.Min(old.Offset, now.Offset);
            var end = Math.Min(EndOf(old, at), EndOf(now, at));
            var (was, shows) = (old.Offset <= at ? old.Frame : null, now.Offset <= at ? now.Frame : null);
            if (was != shows)
            {
                Pieces.Append(changes, [new Piece(at, end - at, shows)]);
            }

            at = end;
            b += b < before.Count && before[b].End <= at ? 1 : 0;
            a += a < after.Count && after[a].End <= at ? 1 : 0;
        }

        return changes;
    }

    /// <summary>What is left of a piece from a byte on; behind the last one, nothing that begins anywhere.</summary>
    private static Piece Next(IReadOnlyList<Piece> pieces, int n, long at) =>
        n == pieces.Count ? new Piece(long.MaxValue, 0, null) : pieces[n].Clip(at, long.MaxValue);

    private static long EndOf(Piece piece, long at) => piece.Offset > at ? piece.Offset : piece.End;
}
