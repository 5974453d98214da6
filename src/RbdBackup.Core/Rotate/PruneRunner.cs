using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>A prune that is asked for.</summary>
/// <param name="Points">The points that are to go.</param>
/// <param name="Force">Also the last good point of a disk.</param>
/// <param name="Consolidate">What stands on them is made independent first; otherwise it is refused.</param>
/// <param name="DryRun">Only says what would happen.</param>
public sealed record PruneAsk(IReadOnlyList<PointId> Points, bool Force, bool Consolidate, bool DryRun);

/// <summary>Removes points that are named, whatever stands on them.</summary>
public sealed class PruneRunner(PointRepository repository, PointRemover remover)
{
    /// <summary>Prunes, and says what was planned; with <see cref="PruneAsk.DryRun"/> refusals are in the plan, and nothing is changed.</summary>
    /// <exception cref="RbdBackupException">NotFound: there is no such point; Refused: see <see cref="PrunePlanner"/>.</exception>
    public async Task<PrunePlan> RunAsync(PruneAsk ask, Action<RbdBackupException> onDamaged, IProgressReporter progress, CancellationToken cancel)
    {
        var points = await ReadAllAsync(onDamaged, cancel);
        var known = points.Select(p => p.Point).ToHashSet();
        var begun = await FindBegunAsync([.. ask.Points.Where(p => !known.Contains(p))], cancel);
        if (ask.Points.Any(p => !known.Contains(p) && begun.TrueForAll(b => b.Point != p)))
        {
            // Another removal ended since they were read: what stood on its points is independent now, and was not then.
            points = await ReadAllAsync(onDamaged, cancel);
            known = [.. points.Select(p => p.Point)];
        }

        points.AddRange(begun.Where(b => !known.Contains(b.Point)));
        var asked = points.Select(p => p.Point).Intersect(ask.Points).ToHashSet();
        var pins = await new PinStore(repository).ReadAsync(onDamaged, cancel);
        var running = await RunningPlans.BasesAsync(repository, known, onDamaged, cancel);
        var plan = PrunePlanner.Plan(new PruneQuestion(points, asked, running, ask.Force, ask.Consolidate)
        {
            // The pin of a point that was voided already came too late.
            Pins = pins.Where(p => known.Contains(p.Key)).ToDictionary(),
        });
        if (ask.DryRun)
        {
            return plan;
        }

        if (plan.Refusals.Count > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, string.Join("; ", plan.Refusals.Select(r => $"point {r.Point.Point} of {r.Point.Disk.Spec} stays: {r.Why}")),
                "Nothing was removed. 'prune --dry-run' shows what would happen; --force removes a disk's last good point too.");
        }

        await remover.RemoveAsync(plan.Drops, points, progress, cancel);
        return plan;
    }

    private async Task<List<Manifest>> ReadAllAsync(Action<RbdBackupException> onDamaged, CancellationToken cancel) =>
        await repository.ReadAllAsync(Keys.PointsPrefix, onDamaged, cancel).ToListAsync(cancel);

    /// <summary>
    /// A point that an earlier prune voided is gone already, and no mistake: that prune may have been killed before it had removed all. Then its manifests are found here,
    /// and what was committed on it is made independent now.
    /// </summary>
    private async Task<List<Manifest>> FindBegunAsync(List<PointId> missing, CancellationToken cancel)
    {
        var begun = new List<Manifest>();
        await foreach (var stored in missing.Count > 0 ? repository.Store.ListAsync(Keys.PointsPrefix, cancel) : AsyncEnumerable.Empty<StoredObject>())
        {
            if (Keys.TryParseAborted(stored.Key) is { } mark && missing.Remove(mark.Point))
            {
                begun.AddRange(await repository.ReadVoidedAsync(new PointBase(mark.Point, mark.Disk, 0), cancel) is { } manifest ? [manifest] : []);
            }
        }

        return missing.Count == 0
            ? begun
            : throw new RbdBackupException(
                ErrorKind.NotFound, $"there is no point {string.Join(", ", missing)} in {repository.Store.Url}", "'rbdbackup list' shows the points. Nothing was removed.");
    }
}
