using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>What rotation knows of a point: about a hundred bytes, so that the points of many thousand disks fit into memory.</summary>
/// <param name="Point">The point.</param>
/// <param name="Disk">The disk's part of keys.</param>
/// <param name="Created">When it was made.</param>
/// <param name="Kind">Full or increment.</param>
/// <param name="Needs">The point that must be there so that this one can be read; null where it needs none.</param>
/// <param name="ChainStart">When the full was made that its chain started with, as far as its own manifest says it; else <paramref name="Created"/>.</param>
/// <param name="Policy">The policy that made it; null where none did.</param>
/// <param name="Project">The OpenStack project that it was made for; null where none is known.</param>
public sealed record RotationPoint(
    PointId Point, string Disk, DateTimeOffset Created, PointKind Kind, PointBase? Needs, DateTimeOffset ChainStart, string? Policy, string? Project)
{
    /// <summary>What a manifest tells.</summary>
    public static RotationPoint Of(Manifest manifest) => new(
        manifest.Point, manifest.Disk.Key, manifest.Created, manifest.Kind, manifest.Needs, manifest.ChainStart ?? manifest.Created, manifest.Policy,
        manifest.AskedBy.Project);

    /// <summary>The points whose chain is whole, and those of others that are known to be.</summary>
    public static IReadOnlySet<PointId> Whole(IEnumerable<RotationPoint> points, IReadOnlySet<PointId>? others = null)
    {
        var whole = new HashSet<PointId>();
        var ready = new Queue<PointId>();
        var waiting = new List<RotationPoint>();
        foreach (var point in points)
        {
            if (point.Needs is null || others?.Contains(point.Needs.Point) == true)
            {
                ready.Enqueue(point.Point);
            }
            else
            {
                waiting.Add(point);
            }
        }

        var above = waiting.ToLookup(p => p.Needs!.Point, p => p.Point);
        while (ready.TryDequeue(out var point))
        {
            foreach (var next in whole.Add(point) ? above[point] : [])
            {
                ready.Enqueue(next);
            }
        }

        whole.UnionWith(others ?? new HashSet<PointId>());
        return whole;
    }
}
