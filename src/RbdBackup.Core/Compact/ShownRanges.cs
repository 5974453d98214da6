using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Compact;

/// <summary>A part of a piece.</summary>
/// <param name="Piece">The part, with the frame that holds it now.</param>
/// <param name="First">The number of the point that was the first to show it.</param>
/// <param name="New">True where that was this time.</param>
internal readonly record struct ShownPart(Piece Piece, int First, bool New);

/// <summary>Which ranges of frames several points show, and which of the points was the first to show each: together with the frame it is the same content.</summary>
internal sealed class ShownRanges
{
    private readonly Dictionary<FrameName, List<(long Start, long End, int First)>> _known = [];

    /// <summary>Adds what a point shows of a frame, and gives its parts, ascending.</summary>
    public List<ShownPart> Add(Piece piece, int point)
    {
        if (!_known.TryGetValue(piece.Frame!, out var ranges))
        {
            _known[piece.Frame!] = ranges = [];
        }

        var parts = new List<ShownPart>();
        var next = ranges.FindIndex(r => r.End > piece.Offset);
        next = next < 0 ? ranges.Count : next;
        for (var at = piece.Offset; at < piece.End; at = parts[^1].Piece.End)
        {
            var known = next < ranges.Count && ranges[next].Start <= at;
            var end = Math.Min(piece.End, next == ranges.Count ? piece.End : known ? ranges[next].End : ranges[next].Start);
            if (!known)
            {
                ranges.Insert(next, (at, end, point));
            }

            parts.Add(new ShownPart(piece.Clip(at, end), ranges[next].First, !known));
            next += end == ranges[next].End ? 1 : 0;
        }

        return parts;
    }
}
