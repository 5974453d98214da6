using RbdBackup.Core.Consolidate;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Servers;

namespace RbdBackup.Core.Rotate;

/// <summary>
/// Removes points: what still stands on one of them is made independent first, so that every point that stays can be read at every moment. A point is voided
/// by its marker before its manifests go: so no revision comes back, also not one that is being written. Data goes later, by <see cref="GarbageCollector"/>.
/// Killed anywhere, the same removal again ends it. Whether a point may go is the caller's to decide, but for pins: the removal says which points it voids, then looks
/// at the pins; whoever pins looks the other way round, so that one of the two sees the other.
/// </summary>
/// <param name="repository">The repository.</param>
/// <param name="consolidator">Makes points independent.</param>
public sealed class PointRemover(PointRepository repository, Consolidator consolidator)
{
    private readonly ServerPointStore _servers = new(repository);

    /// <summary>Removes points.</summary>
    /// <param name="drops">The points to remove, in any order, of any disks.</param>
    /// <param name="known">All points that could stand on them: those of their disks at least, and other disks' that were restored from them. More do no harm.</param>
    /// <param name="progress">Told of the points that were made independent and removed.</param>
    /// <param name="cancel">Ends the work between two steps.</param>
    /// <exception cref="RbdBackupException">
    /// Corrupt: a point that stands on one of them can't be made independent; Refused: one of them was pinned. Then nothing was removed.
    /// </exception>
    public Task RemoveAsync(IReadOnlyList<Manifest> drops, IReadOnlyList<Manifest> known, IProgressReporter progress, CancellationToken cancel) =>
        RemoveAsync(drops, PrunePlanner.StandingOn(drops.Select(d => d.Point).ToHashSet(), known), known.Select(p => p.Point), progress, cancel);

    /// <summary>Removes points, where it is known already what stands on them.</summary>
    /// <param name="drops">The points to remove, in any order, of any disks.</param>
    /// <param name="standing">The points that stay and need one that goes, oldest first.</param>
    /// <param name="known">All points that were looked at to know this.</param>
    /// <param name="progress">Told of the points that were made independent and removed.</param>
    /// <param name="cancel">Ends the work between two steps.</param>
    /// <exception cref="RbdBackupException">
    /// Corrupt: a point that stands on one of them can't be made independent; Refused: one of them was pinned. Then nothing was removed.
    /// </exception>
    public async Task RemoveAsync(
        IReadOnlyList<Manifest> drops, IReadOnlyList<Manifest> standing, IEnumerable<PointId> known, IProgressReporter progress, CancellationToken cancel)
    {
        var going = drops.Select(d => d.Point).ToHashSet();
        var seen = known.Concat(going).ToHashSet();
        for (; standing.Count > 0; standing = await FindNewAsync(drops, going, seen, cancel))
        {
            await ConsolidateAsync(standing, drops, progress, cancel);
        }

        var announced = await GarbageLists.AnnounceRemovalAsync(repository, drops, cancel);
        Checkpoints.Pass("prune.announced");
        try
        {
            if (await FindPinnedAsync(drops, cancel) is { } pinned)
            {
                throw new RbdBackupException(
                    ErrorKind.Refused, $"point {pinned.Point} of {pinned.Disk.Spec} was pinned while it was to be removed", "Nothing was removed; what is pinned stays, so run it again.");
            }

            await RemoveAsync(drops, going, seen, progress, cancel);
        }
        finally
        {
            // Also of a removal that was cancelled or failed: it voids no more, so nobody need wait for it.
            foreach (var key in announced)
            {
                await repository.Store.DeleteAsync(key, CancellationToken.None);
            }
        }
    }

    private async Task RemoveAsync(IReadOnlyList<Manifest> drops, HashSet<PointId> going, HashSet<PointId> seen, IProgressReporter progress, CancellationToken cancel)
    {
        // A server point is all of its disks or none: it goes first, and what is left of it are points of their own.
        foreach (var server in drops.Select(d => d.ServerPoint).OfType<ServerPointReference>().Distinct())
        {
            await _servers.RemoveAsync(server, cancel);
            Checkpoints.Pass("prune.server");
        }

        // Newest first, so that at no moment an increment is listed whose base is gone.
        var done = 0;
        foreach (var disk in drops.GroupBy(d => d.Disk.Key).Select(g => g.OrderByDescending(p => p.Created).ThenByDescending(p => p.Point).ToList()))
        {
            foreach (var point in disk)
            {
                await repository.AbortAsync(point.Disk.Key, point.Point, cancel);
                Checkpoints.Pass("prune.voided");
            }

            // A revision that comes after this listing is void, and a collection's.
            var manifests = await ListAsync(disk[0].Disk.Key, cancel);
            await ConsolidateAsync(await FindNewAsync(manifests, going, seen, cancel), drops, progress, cancel);
            foreach (var point in disk)
            {
                await RemoveAsync(manifests.Where(m => m.Point == point.Point), cancel);
                progress.Report("remove", ++done, drops.Count, "{point}");
            }
        }
    }

    /// <summary>A point that was pinned in time; null where there is none. A pin of a point that was voided before came too late, and was answered so.</summary>
    private async Task<Manifest?> FindPinnedAsync(IReadOnlyList<Manifest> drops, CancellationToken cancel)
    {
        var pins = await new PinStore(repository).ReadAsync(drops.Select(d => d.Point).ToHashSet(), cancel);
        foreach (var point in drops.Where(d => pins.ContainsKey(d.Point)))
        {
            if (await repository.Store.StatAsync(Keys.Aborted(point.Disk.Key, point.Point), cancel) is null)
            {
                return point;
            }
        }

        return null;
    }

    /// <summary>Makes a point independent whose base an earlier removal voided, and then was killed; one whose base was not voided stays as it is.</summary>
    /// <exception cref="RbdBackupException">Corrupt, NotFound: it can't be.</exception>
    internal async Task EndAsync(RotationPoint point, CancellationToken cancel)
    {
        if (point.Needs is { } below && await repository.Store.StatAsync(Keys.Aborted(below.Disk, below.Point), cancel) is not null
            && await repository.FindNewestAsync(point.Disk, point.Point, cancel) is { } manifest)
        {
            await consolidator.ConsolidateAsync(manifest, IProgressReporter.None, cancel);
        }
    }

    private async Task ConsolidateAsync(IReadOnlyList<Manifest> points, IReadOnlyList<Manifest> drops, IProgressReporter progress, CancellationToken cancel)
    {
        foreach (var (n, point) in points.Index())
        {
            await consolidator.ConsolidateAsync(point, drops, progress, cancel);
            progress.Report("consolidate points", n + 1, points.Count, "{point}");
        }
    }

    /// <summary>The points on these that were committed since; they are then seen.</summary>
    private async Task<IReadOnlyList<Manifest>> FindNewAsync(IReadOnlyList<Manifest> drops, HashSet<PointId> going, HashSet<PointId> seen, CancellationToken cancel)
    {
        var manifests = new List<ManifestKey>();
        foreach (var disk in drops.Select(d => d.Disk.Key).Distinct())
        {
            manifests.AddRange(await ListAsync(disk, cancel));
        }

        return await FindNewAsync(manifests, going, seen, cancel);
    }

    private async Task<IReadOnlyList<Manifest>> FindNewAsync(
        List<ManifestKey> manifests, HashSet<PointId> going, HashSet<PointId> seen, CancellationToken cancel)
    {
        var points = new List<Manifest>();
        foreach (var key in manifests)
        {
            points.AddRange(seen.Add(key.Point) && await repository.FindNewestAsync(key.Disk, key.Point, cancel) is { } point ? [point] : []);
        }

        return PrunePlanner.StandingOn(going, points);
    }

    /// <summary>A disk's manifests, those of voided points too.</summary>
    private ValueTask<List<ManifestKey>> ListAsync(string disk, CancellationToken cancel) =>
        repository.Store.ListAsync(Keys.DiskPrefix(disk), cancel).Select(stored => Keys.TryParseManifest(stored.Key)).OfType<ManifestKey>().ToListAsync(cancel);

    private async Task RemoveAsync(IEnumerable<ManifestKey> manifests, CancellationToken cancel)
    {
        foreach (var manifest in manifests)
        {
            await repository.Store.DeleteAsync(manifest.Key, cancel);
            Checkpoints.Pass("prune.removed");
        }
    }
}
