using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>Removes the manifests of points that no rule keeps. Their data goes later, by <see cref="GarbageCollector"/>.</summary>
/// <param name="repository">The repository.</param>
/// <param name="remover">Removes points.</param>
/// <param name="ruleOf">The rule of a policy; null for an unknown one: its points stay.</param>
/// <param name="jobDeadline">How old a job may become: the plan of an older point without a manifest is no running job's, but what a rotation left for gc.</param>
/// <param name="time">The clock.</param>
public sealed class RotateRunner(PointRepository repository, PointRemover remover, Func<string?, RotationRule?> ruleOf, TimeSpan jobDeadline, TimeProvider time)
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
            await remover.RemoveAsync(drops, disks.Values.SelectMany(d => d).ToList(), progress, cancel);
        }

        return verdicts;
    }

    /// <summary>Points that another disk's point stands on, or an increment that is being made.</summary>
    private async Task<IReadOnlySet<PointId>> InUseAsync(
        List<Manifest> points, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        var inUse = points.Where(p => p.Needs is { } b && b.Disk != p.Disk.Key).Select(p => p.Needs!.Point).ToHashSet();
        inUse.UnionWith(await RunningPlans.BasesAsync(repository, points.Select(p => p.Point).ToHashSet(), onDamaged, cancel, time.GetUtcNow() - jobDeadline));
        return inUse;
    }
}
