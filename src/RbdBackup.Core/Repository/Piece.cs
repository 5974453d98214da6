using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>A frame by its whole name: whichever index names it, and at whichever point, it is the same frame with the same bytes.</summary>
/// <param name="Point">The point that its segment was written for.</param>
/// <param name="Attempt">The attempt that wrote the segment.</param>
/// <param name="Segment">The segment's number.</param>
/// <param name="Offset">Where its header starts in the segment, in bytes.</param>
/// <param name="Length">Header and zstd frame, in bytes.</param>
public sealed record FrameName(PointId Point, AttemptId Attempt, int Segment, long Offset, int Length)
{
    /// <summary>The segment's key.</summary>
    public string Key => Keys.Segment(Point, Segment, Attempt);
}

/// <summary>A range of a point's image and where its content is.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">How long it is, in bytes.</param>
/// <param name="Frame">The frame that holds it; null for zeros that were stored as such.</param>
public readonly record struct Piece(long Offset, long Length, FrameName? Frame)
{
    /// <summary>The first byte behind it.</summary>
    public long End => Offset + Length;

    /// <summary>The part of it between two bytes of the image; no bytes where it lies outside.</summary>
    public Piece Clip(long start, long end)
    {
        var from = Math.Max(start, Offset);
        return this with { Offset = from, Length = Math.Max(0, Math.Min(end, End) - from) };
    }
}

/// <summary>What indexes that lie above each other show. All lists are ascending, and nothing in one overlaps.</summary>
internal static class Pieces
{
    /// <summary>What <paramref name="upper"/> shows, and what <paramref name="lower"/> shows where upper has nothing.</summary>
    public static List<Piece> Under(List<Piece> upper, List<Piece> lower)
    {
        if (upper.Count == 0 || lower.Count == 0)
        {
            return upper.Count == 0 ? lower : upper;
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
                    merged.Add(piece.Clip(at, upper[next].Offset));
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
                merged.Add(piece.Clip(at, piece.End));
            }
        }

        merged.AddRange(upper.Skip(next));
        return merged;
    }

    /// <summary>What an index shows of a range, with zeros where it shows nothing.</summary>
    public static IEnumerable<Piece> Filled(IEnumerable<Piece> pieces, Piece range)
    {
        var at = range.Offset;
        foreach (var piece in pieces.Append(new Piece(range.End, 0, null)))
        {
            if (at < piece.Offset)
            {
                yield return new Piece(at, piece.Offset - at, null);
            }

            if (piece.Length > 0)
            {
                yield return piece;
            }

            at = piece.End;
        }
    }

    /// <summary>Appends pieces, with what continues the one before as one piece: windows cut what an index holds in one.</summary>
    public static void Append(List<Piece> list, IEnumerable<Piece> more)
    {
        foreach (var piece in more)
        {
            if (list.Count > 0 && list[^1].End == piece.Offset && list[^1].Frame == piece.Frame)
            {
                list[^1] = list[^1] with { Length = list[^1].Length + piece.Length };
            }
            else
            {
                list.Add(piece);
            }
        }
    }
}
