using System.IO.Hashing;
using System.Text;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Backup;

/// <summary>
/// Chooses which objects, of those that the object maps call unchanged, get a fine diff all the same: another share for each point, so that a map that is
/// wrong is met sooner or later. Pure.
/// </summary>
public static class CrossCheckPlanner
{
    /// <summary>The most objects that one backup compares: the fine diff looks at each, at about 60 µs.</summary>
    public const int MaxObjects = 800;

    // A call for each run costs more than some objects more in it.
    private const int Runs = 4;

    /// <summary>The ranges to compare, ascending, whole objects, none of them a candidate.</summary>
    /// <param name="point">The point; it decides which objects.</param>
    /// <param name="size">The image's size, in bytes.</param>
    /// <param name="unit">The bytes of an object, or of a set of objects that are striped over.</param>
    /// <param name="percent">The share of the objects.</param>
    /// <param name="candidates">What the maps say may have changed, in whole units, ascending, without overlap.</param>
    public static IReadOnlyList<Extent> Plan(PointId point, long size, long unit, double percent, IReadOnlyList<Extent> candidates)
    {
        var units = (size + unit - 1) / unit;
        var wanted = percent <= 0 || units == 0 ? 0 : Math.Min(MaxObjects, Math.Clamp((long)Math.Ceiling(units * percent / 100), 1, units));
        var runs = Math.Min(Runs, wanted);
        var chosen = new List<Extent>();
        for (var n = 0; n < runs; n++)
        {
            // One run in each stretch of the image, anywhere in it.
            var (from, to) = (units * n / runs, units * (n + 1) / runs);
            var length = (wanted * (n + 1) / runs) - (wanted * n / runs);
            var start = from + (long)(XxHash3.HashToUInt64(Encoding.ASCII.GetBytes($"{point} {n}")) % (ulong)Math.Max(1, to - from - length + 1));
            chosen.Add(new Extent(start * unit, Math.Min(size, (start + length) * unit) - (start * unit), true));
        }

        return [.. chosen.SelectMany(range => Without(range, candidates))];
    }

    private static IEnumerable<Extent> Without(Extent range, IReadOnlyList<Extent> candidates)
    {
        var at = range.Offset;
        foreach (var candidate in candidates.Where(c => c.End > range.Offset && c.Offset < range.End))
        {
            if (candidate.Offset > at)
            {
                yield return new Extent(at, candidate.Offset - at, true);
            }

            at = Math.Max(at, candidate.End);
        }

        if (at < range.End)
        {
            yield return new Extent(at, range.End - at, true);
        }
    }
}
