using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>Removes the manifests of points that no rule keeps. Their data goes later, by <see cref="GarbageCollector"/>.</summary>
/// <param name="repository">The repository.</param>
/// <param name="ruleOf">The rule of a policy; null for an unknown one: its points stay.</param>
/// <param name="jobDeadline">How old a job may become: the plan of an older point without a manifest is no running job's, but what a rotation left for gc.</param>
/// <param name="time">The clock.</param>
public sealed class RotateRunner(PointRepository repository, Func<string?, RotationRule?> ruleOf, TimeSpan jobDeadline, TimeProvider time)
{
    /// <summary>Rotates every disk and returns the verdicts; with <paramref name="dryRun"/> nothing is removed.</summary>
    public async Task<IReadOnlyList<RotationVerdict>> RunAsync(bool dryRun, Action<RbdBackupException> onDamaged, IProgressReporter progress, CancellationToken cancel)
    {
        var disks = new Dictionary<string, List<Manifest>>();
        await foreach (var manifest in repository.ReadAllAsync(Keys.PointsPrefix, onDamaged, cancel))
        {
            disks.TryAdd(manifest.Disk.Key, []);
            disks[manifest.Disk.Key].Add(manifest);
        }

        var inUse = await InUseAsync(disks.Values.SelectMany(d => d).ToList(), onDamaged, cancel);
        var verdicts = new List<RotationVerdict>();
        foreach (var points in disks.Values)
        {
            // The newest point says by which policy the disk is protected now.
            var rule = ruleOf(points.MaxBy(p => p.Created)!.Policy);
            verdicts.AddRange(RotatePlanner.Plan(points, rule, inUse, time.GetUtcNow()));
        }

        var drops = verdicts.Where(v => !v.Keep).Select(v => v.Point).ToList();
        if (!dryRun)
        {
            await RemoveAsync(drops, progress, cancel);
        }

        return verdicts;
    }

    /// <summary>Points that another disk's point stands on, or an increment that is being made.</summary>
    private async Task<IReadOnlySet<PointId>> InUseAsync(
        List<Manifest> points, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        var inUse = points.Where(p => p.Base is { } b && b.Disk != p.Disk.Key).Select(p => p.Base!.Point).ToHashSet();
        var committed = points.Select(p => p.Point).ToHashSet();
        await foreach (var stored in repository.Store.ListAsync(Keys.DataPrefix, cancel))
        {
            if (Keys.PointOfData(stored.Key) is { } point && !committed.Contains(point) && Keys.IsPlan(stored.Key) && time.GetUtcNow() - point.Time <= jobDeadline)
            {
                inUse.UnionWith(await BaseOfPlanAsync(stored, onDamaged, cancel) is { } b ? [b.Point] : []);
            }
        }

        return inUse;
    }

    /// <summary>What a plan stands on. A plan that is damaged, or that a collection took away meanwhile, is no reason to stop rotating other disks.</summary>
    private async Task<PointBase?> BaseOfPlanAsync(StoredObject plan, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        try
        {
            var (head, _) = await TailDirectory.ReadAsync(repository.Store, plan.Key, plan.Length, RepositoryJson.Default.PlanHead, cancel);
            return head.Base;
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
        {
            onDamaged(e);
            return null;
        }
    }

    /// <summary>Newest first, so that at no moment an increment is listed whose base is gone; a point's lower revisions first, so that none of them comes back.</summary>
    private async Task RemoveAsync(List<Manifest> drops, IProgressReporter progress, CancellationToken cancel)
    {
        var done = 0;
        foreach (var point in drops.OrderByDescending(p => p.Created).ThenByDescending(p => p.Point))
        {
            var revisions = new List<ManifestKey>();
            await foreach (var key in repository.ListAsync($"{Keys.DiskPrefix(point.Disk.Key)}{point.Point}.", cancel))
            {
                revisions.Add(key);
            }

            foreach (var revision in revisions.OrderBy(r => r.Revision))
            {
                await repository.Store.DeleteAsync(revision.Key, cancel);
                Checkpoints.Pass("rotate.removed");
            }

            progress.Report("rotate", ++done, drops.Count, "{point}");
        }
    }
}
