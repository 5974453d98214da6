using RbdBackup.Core.Model;

namespace RbdBackup.Core.Backup;

/// <summary>
/// Extents in ascending order, of bounded number: where there would be more than <paramref name="limit"/>, near ones are taken together. Then more is
/// read than changed, which is right and only larger: what lies between is stored as it is at the same snapshot.
/// </summary>
public sealed class ExtentList(int limit)
{
    private const long FirstGap = 64 << 10;

    private List<Extent> _extents = [];
    private long _gap = -1;

    /// <summary>What was added.</summary>
    public IReadOnlyList<Extent> Extents => _extents;

    /// <summary>Adds an extent that starts where the last one ended, or later.</summary>
    public void Add(Extent extent)
    {
        if (extent.Length <= 0)
        {
            return;
        }

        Append(_extents, extent);
        while (_extents.Count > limit)
        {
            _gap = _gap < 0 ? FirstGap : _gap * 2;
            var coarser = new List<Extent>(_extents.Count / 2);
            _extents.ForEach(e => Append(coarser, e));
            _extents = coarser;
        }
    }

    /// <summary>Several lists as one: sorted, overlaps and neighbours joined; for candidates, whose <see cref="Extent.Exists"/> means nothing.</summary>
    public static IReadOnlyList<Extent> Union(IEnumerable<Extent> extents)
    {
        var union = new List<Extent>();
        foreach (var extent in extents.OrderBy(e => e.Offset))
        {
            if (union.Count > 0 && extent.Offset <= union[^1].End)
            {
                union[^1] = union[^1] with { Length = Math.Max(union[^1].End, extent.End) - union[^1].Offset };
            }
            else
            {
                union.Add(extent with { Exists = true });
            }
        }

        return union;
    }

    private void Append(List<Extent> list, Extent extent)
    {
        if (list.Count == 0)
        {
            list.Add(extent);
            return;
        }

        var last = list[^1];
        var gap = extent.Offset - last.End;
        ArgumentOutOfRangeException.ThrowIfNegative(gap, nameof(extent));
        if (gap == 0 && last.Exists == extent.Exists)
        {
            list[^1] = last with { Length = last.Length + extent.Length };
        }
        else if (gap <= _gap && Joins(last) && Joins(extent))
        {
            list[^1] = new Extent(last.Offset, extent.End - last.Offset, true);
        }
        else
        {
            list.Add(extent);
        }
    }

    // A large hole is not read for the sake of a short list.
    private bool Joins(Extent extent) => extent.Exists || extent.Length <= _gap;
}
