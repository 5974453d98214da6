using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>What is known when a prune is planned.</summary>
/// <param name="Points">The repository's points.</param>
/// <param name="Asked">Those that are to go.</param>
/// <param name="Running">Points that an increment which is being made stands on.</param>
/// <param name="Force">Also the last good point of a disk may go.</param>
/// <param name="Consolidate">What stands on a point that goes is made independent; otherwise that point stays.</param>
public sealed record PruneQuestion(
    IReadOnlyList<Manifest> Points, IReadOnlySet<PointId> Asked, IReadOnlySet<PointId> Running, bool Force, bool Consolidate)
{
    /// <summary>The pins in force: neither their points go, nor what these stand on.</summary>
    public IReadOnlyDictionary<PointId, Pin> Pins { get; init; } = new Dictionary<PointId, Pin>();
}

/// <summary>Why a point may not go.</summary>
/// <param name="Point">The point.</param>
/// <param name="Why">Why, for people.</param>
public sealed record PruneRefusal(Manifest Point, string Why);

/// <summary>What a prune will do; with any refusal nothing.</summary>
/// <param name="Drops">The points that go, oldest first.</param>
/// <param name="Consolidate">The points that are made independent first, oldest first.</param>
/// <param name="Refusals">What speaks against it.</param>
public sealed record PrunePlan(IReadOnlyList<Manifest> Drops, IReadOnlyList<Manifest> Consolidate, IReadOnlyList<PruneRefusal> Refusals);

/// <summary>Decides whether points may go, and what must be made independent first. Pure.</summary>
public static class PrunePlanner
{
    /// <summary>The plan.</summary>
    public static PrunePlan Plan(PruneQuestion question)
    {
        var drops = Ordered(question.Points.Where(p => question.Asked.Contains(p.Point)));
        var standing = StandingOn(question.Asked, question.Points);
        var whole = Whole(question.Points);
        var refusals = drops.Where(d => question.Running.Contains(d.Point)).Select(d => new PruneRefusal(d, "an increment that is being made stands on it")).ToList();
        refusals.AddRange(Pinned(question).Where(r => question.Asked.Contains(r.Point.Point)));
        foreach (var point in standing.Where(s => !question.Consolidate || !whole.Contains(s.Point)))
        {
            var why = whole.Contains(point.Point) ? "" : ", and can't be made independent, since its chain is broken: name it too";
            refusals.Add(new PruneRefusal(drops.First(d => d.Point == point.Needs!.Point), $"point {point.Point} of {point.Disk.Spec} stands on it{why}"));
        }

        foreach (var disk in question.Points.Where(p => whole.Contains(p.Point)).GroupBy(p => p.Disk.Key))
        {
            if (!question.Force && disk.All(p => question.Asked.Contains(p.Point)))
            {
                refusals.Add(new PruneRefusal(Ordered(disk)[^1], "it is the disk's last good point"));
            }
        }

        return new PrunePlan(drops, standing, refusals);
    }

    /// <summary>
    /// The points that stay and need one that goes; whatever stands on these stays readable once they are independent. Oldest first, so that later
    /// ones build on the indexes of those before.
    /// </summary>
    public static IReadOnlyList<Manifest> StandingOn(IReadOnlySet<PointId> going, IEnumerable<Manifest> points) =>
        Ordered(points.Where(p => !going.Contains(p.Point) && p.Needs is { } needs && going.Contains(needs.Point)));

    /// <summary>The points whose chain is whole.</summary>
    public static IReadOnlySet<PointId> Whole(IEnumerable<Manifest> points)
    {
        var waiting = points.Where(p => p.Needs is not null).ToLookup(p => p.Needs!.Point);
        var whole = new HashSet<PointId>();
        var ready = new Queue<PointId>(points.Where(p => p.Needs is null).Select(p => p.Point));
        while (ready.TryDequeue(out var point))
        {
            foreach (var above in whole.Add(point) ? waiting[point] : [])
            {
                ready.Enqueue(above.Point);
            }
        }

        return whole;
    }

    /// <summary>The pinned points and what they stand on.</summary>
    private static IEnumerable<PruneRefusal> Pinned(PruneQuestion question)
    {
        var byId = question.Points.ToDictionary(p => p.Point);
        foreach (var (id, pin) in question.Pins)
        {
            var seen = new HashSet<PointId>();
            for (var at = byId.GetValueOrDefault(id); at is not null && seen.Add(at.Point); at = at.Needs is { } b ? byId.GetValueOrDefault(b.Point) : null)
            {
                var what = at.Point == id ? "it is pinned" : $"point {id}, which stands on it, is pinned";
                yield return new PruneRefusal(at, $"{what} until {pin.Until:yyyy-MM-dd HH:mm zzz} ({pin.Why}); 'unpin' ends that");
            }
        }
    }

    private static List<Manifest> Ordered(IEnumerable<Manifest> points) => [.. points.OrderBy(p => p.Created).ThenBy(p => p.Point)];
}
