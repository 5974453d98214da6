using System.Runtime.CompilerServices;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Compact;

/// <summary>How to compact.</summary>
/// <param name="MinLive">Segments of which less than this share is shown are written again; from 0 to 1.</param>
/// <param name="Cut">How new frames and segments are cut.</param>
/// <param name="Deadline">How long one may take; less than gc's grace. After half of it nothing more is moved, and the rest is left to the next one.</param>
/// <param name="MinGain">The least that has to come free for each point that gets a new revision, in bytes.</param>
public sealed record CompactOptions(double MinLive, CutParameters Cut, TimeSpan Deadline, long MinGain = 16 << 10);

/// <summary>What was done, or would be, on disks whose points share data.</summary>
/// <param name="Disks">The disks.</param>
/// <param name="Plan">What is written again.</param>
/// <param name="Points">The points that get a new revision: the last one that they had.</param>
/// <param name="StoredBytes">The bytes of segments and indexes that were stored.</param>
/// <param name="Error">Why it failed: nothing was changed then; null: it did not.</param>
public sealed record CompactResult(
    IReadOnlyList<ImageSpec> Disks, CompactPlan Plan, IReadOnlyList<Manifest> Points, long StoredBytes, RbdBackupException? Error = null);

/// <summary>
/// Writes again what is still shown of segments that are mostly dead: what points that were pruned left behind. New segments first, then for each point a new
/// index, references and, last, a new revision of its manifest; the cluster is not asked. What was there before goes by gc's two phases. Killed anywhere, every
/// point is right by its older or its newer revision.
/// </summary>
/// <param name="repository">The repository.</param>
/// <param name="options">How to compact.</param>
/// <param name="layout">How indexes are cut; null: as usual.</param>
public sealed class CompactRunner(PointRepository repository, CompactOptions options, MergedLayout? layout = null)
{
    /// <summary>Compacts, disk by disk; disks whose points share data go together.</summary>
    /// <param name="dryRun">Only says what would be done.</param>
    /// <param name="onDamaged">Told of each manifest, or references, that can't be read; the point is passed over.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends the work; what was being done is changed nowhere.</param>
    public async IAsyncEnumerable<CompactResult> RunAsync(
        bool dryRun, Action<RbdBackupException> onDamaged, IProgressReporter progress, [EnumeratorCancellation] CancellationToken cancel)
    {
        var living = await repository.ListAsync(Keys.PointsPrefix, cancel).Select(k => k.Point).ToHashSetAsync(cancellationToken: cancel);
        var groups = new SharedData(living);
        await foreach (var point in repository.ReadAllAsync(Keys.PointsPrefix, onDamaged, cancel))
        {
            if (point.HasMergedIndex && await TryReadReferencesAsync(point, onDamaged, cancel) is { } references)
            {
                groups.Add(point, references);
            }
        }

        foreach (var group in groups.Groups())
        {
            yield return await TryCompactAsync(group, living, dryRun, progress, cancel);
        }
    }

    /// <summary>What a point refers to. One whose references are damaged keeps all that it needs: gc deletes nothing as long as they are.</summary>
    private async Task<ReferenceList?> TryReadReferencesAsync(Manifest point, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        try
        {
            return await repository.ReadReferencesAsync(point, cancel);
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
        {
            onDamaged(e);
            return null;
        }
    }

    private async Task<CompactResult> TryCompactAsync(
        IReadOnlyList<UsingPoint> group, HashSet<PointId> living, bool dryRun, IProgressReporter progress, CancellationToken cancel)
    {
        var disks = group.Select(p => p.Point.Disk.Spec).Distinct().ToList();
        try
        {
            var started = repository.Now;
            var points = group.Select(p => p.Point).ToList();
            var counter = new UseCounter(repository, living);
            await counter.CountAsync(points, progress, cancel);
            var plan = CompactPlanner.Plan(await counter.SegmentsAsync(cancel), counter.Indexes(points), options.MinLive, 0);
            var touched = group.Where(p => p.Uses(plan)).ToList();
            plan = CompactPlanner.Plan(plan.Segments, plan.Indexes, options.MinLive, options.MinGain * touched.Count);
            if (dryRun || touched.Count == 0 || plan.Segments.Count + plan.Indexes.Count == 0)
            {
                return new CompactResult(disks, plan, plan.Segments.Count + plan.Indexes.Count == 0 ? [] : [.. touched.Select(t => t.Point)], 0);
            }

            using var rewrite = new Rewrite(repository, touched, plan, options, layout ?? new MergedLayout(), started);
            await rewrite.RunAsync(progress, cancel);
            return new CompactResult(disks, plan, await rewrite.CommitAsync(cancel), rewrite.StoredBytes);
        }
        catch (RbdBackupException e)
        {
            return new CompactResult(disks, new CompactPlan([], []), [], 0, e);
        }
    }
}
