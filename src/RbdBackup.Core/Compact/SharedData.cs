using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Compact;

/// <summary>A point with a merged index, and what it refers to.</summary>
internal sealed record UsingPoint(Manifest Point, ReferenceList References)
{
    /// <summary>True where it may use what a plan writes again.</summary>
    public bool Uses(CompactPlan plan)
    {
        var segments = plan.Segments.ToLookup(s => (s.Point, s.Attempt), s => s.Number);
        return plan.Indexes.Any(i => References.Objects.Contains(i.Key))
            || References.Segments.Any(r => segments[(r.Point, r.Attempt)].Any(n => r.First <= n && n <= r.Last));
    }
}

/// <summary>Finds the points that share data of points that are gone, or pages of indexes: these must be looked at together.</summary>
/// <param name="living">The points that have a manifest.</param>
internal sealed class SharedData(IReadOnlySet<PointId> living)
{
    private readonly List<UsingPoint> _points = [];
    private readonly List<int> _parents = [];
    private readonly Dictionary<string, int> _firstUsers = [];

    /// <summary>Adds a point; one that shares nothing is left out.</summary>
    public void Add(Manifest point, ReferenceList references)
    {
        var shared = references.Segments.Where(r => !living.Contains(r.Point)).Select(r => r.Point.ToString())
            .Concat(references.Objects.Where(o => o != point.Plan.Key && o != point.Index.Key)).ToHashSet();
        if (shared.Count == 0)
        {
            return;
        }

        _points.Add(new UsingPoint(point, references));
        _parents.Add(_parents.Count);
        foreach (var thing in shared)
        {
            _ = _firstUsers.TryAdd(thing, _parents.Count - 1);
            _parents[Root(_parents.Count - 1)] = Root(_firstUsers[thing]);
        }
    }

    /// <summary>The groups; in each the oldest point comes first.</summary>
    public IEnumerable<IReadOnlyList<UsingPoint>> Groups() =>
        _points.Index().GroupBy(p => Root(p.Index)).Select(g => g.Select(p => p.Item).OrderBy(p => p.Point.Created).ThenBy(p => p.Point.Point).ToList());

    private int Root(int n)
    {
        for (; _parents[n] != n; n = _parents[n])
        {
            _parents[n] = _parents[_parents[n]];
        }

        return n;
    }
}
