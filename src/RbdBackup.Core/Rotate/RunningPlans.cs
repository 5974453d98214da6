using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>Finds the points that increments which are being made stand on: the plans of points that are neither committed nor given up.</summary>
public static class RunningPlans
{
    /// <summary>Those points.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="committed">The points that have a manifest.</param>
    /// <param name="onDamaged">Told of each plan that can't be read; it is passed over.</param>
    /// <param name="cancel">Ends the search.</param>
    /// <param name="since">How old the oldest job can be that may still commit; null: of any age, and all data keys are listed.</param>
    public static async Task<IReadOnlySet<PointId>> BasesAsync(
        PointRepository repository, IReadOnlySet<PointId> committed, Action<RbdBackupException> onDamaged, CancellationToken cancel, DateTimeOffset? since = null)
    {
        // A day ahead: the clock of the host that runs the job may be wrong.
        var prefixes = since is null ? [Keys.DataPrefix] : Keys.DataPrefixes(since.Value, repository.Now.AddDays(1));
        var bases = new HashSet<PointId>();
        foreach (var prefix in prefixes)
        {
            await foreach (var stored in repository.Store.ListAsync(prefix, cancel))
            {
                if (Keys.PointOfData(stored.Key) is { } point && !committed.Contains(point) && Keys.IsPlan(stored.Key) && (since is null || point.Time >= since))
                {
                    bases.UnionWith(await BaseOfAsync(repository, stored, onDamaged, cancel) is { } b ? [b.Point] : []);
                }
            }
        }

        return bases;
    }

    /// <summary>What a plan stands on; null for a full, and for a point that was given up. A plan that is damaged, or that a collection took away meanwhile, is no reason to stop.</summary>
    private static async Task<PointBase?> BaseOfAsync(
        PointRepository repository, Ports.StoredObject plan, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        try
        {
            var (head, _) = await TailDirectory.ReadAsync(repository.Store, plan.Key, plan.Length, RepositoryJson.Default.PlanHead, cancel);
            return await repository.Store.StatAsync(Keys.Aborted(head.Disk.Key, head.Point), cancel) is null ? head.Base : null;
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
        {
            onDamaged(e);
            return null;
        }
    }
}
