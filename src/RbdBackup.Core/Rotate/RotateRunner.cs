using System.Runtime.CompilerServices;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>What became of a disk's points.</summary>
/// <param name="Disk">The disk's part of keys.</param>
/// <param name="Policies">The policies that say how long its points are kept; none where nothing does.</param>
/// <param name="Plan">The plan.</param>
/// <param name="Error">Why it was not carried out, or not wholly; null where it was, or was only asked for.</param>
public sealed record DiskRotation(string Disk, IReadOnlyList<string> Policies, RotationPlan Plan, RbdBackupException? Error);

/// <summary>
/// Removes the manifests of points that no rule keeps, disk by disk. Their data goes later, by <see cref="GarbageCollector"/>. It plans by the <see cref="Catalogue"/>, and
/// reads the manifests themselves before it removes something; then it writes a new catalogue, if the old one lacked something. Only what rotation needs of manifests stays in memory.
/// </summary>
/// <param name="repository">The repository.</param>
/// <param name="remover">Removes points.</param>
/// <param name="ruleOf">The rule of a disk, by its points (oldest first); null where nothing says how long they are kept: they stay.</param>
/// <param name="jobDeadline">How old a job may become: the plan of an older point without a manifest is no running job's, but what a rotation left for gc.</param>
/// <param name="time">The clock.</param>
public sealed class RotateRunner(
    PointRepository repository, PointRemover remover, Func<IReadOnlyList<RotationPoint>, RotationRule?> ruleOf, TimeSpan jobDeadline, TimeProvider time)
{
    private const int DisksAtATime = 8;

    private readonly PinStore _pins = new(repository);
    private readonly Catalogue _catalogue = new(repository);
    private bool _catalogueIsOld;

    /// <summary>Rotates every disk, in the order of their keys; with <paramref name="dryRun"/> nothing is removed. What fails on one disk stops no other.</summary>
    /// <param name="dryRun">True: only plans.</param>
    /// <param name="onDamaged">Told, perhaps from several threads, of what can't be read; it is passed over.</param>
    /// <param name="progress">Told of the points that were read and removed.</param>
    /// <param name="cancel">Ends the work between two steps.</param>
    /// <exception cref="RbdBackupException">The store does not answer, or refuses.</exception>
    public async IAsyncEnumerable<DiskRotation> RunAsync(
        bool dryRun, Action<RbdBackupException> onDamaged, IProgressReporter progress, [EnumeratorCancellation] CancellationToken cancel)
    {
        var disks = await ReadAsync(onDamaged, progress, cancel);
        var whole = RotationPoint.Whole(disks.SelectMany(d => d));
        if (!dryRun)
        {
            await EndBegunAsync([.. disks.SelectMany(d => d).Where(p => p.Needs is { } && !whole.Contains(p.Point))], onDamaged, cancel);
        }

        var inUse = await InUseAsync(disks, onDamaged, cancel);
        var pins = await _pins.ReadAsync(onDamaged, cancel);
        RotationQuestion Question(List<RotationPoint> points) => new(points, ruleOf(points), whole, inUse, pins, time.GetUtcNow());
        var rotated = disks.ToAsyncEnumerable().SelectParallelAsync(DisksAtATime, (points, token) => RotateAsync(Question(points), dryRun, onDamaged, token), cancel);
        var (done, all) = (0, disks.Count);
        await foreach (var disk in rotated.WithCancellation(cancel))
        {
            progress.Report("rotate", ++done, all, "{disk}");
            _catalogueIsOld |= disk.Plan.Consolidate.Count > 0;
            yield return disk;
        }

        if (!dryRun && _catalogueIsOld)
        {
            await WriteCatalogueAsync(onDamaged, cancel);
        }
    }

    /// <summary>Only time is lost without it, so a store that refuses it is no reason for a rotation to fail.</summary>
    private async Task WriteCatalogueAsync(Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        try
        {
            await _catalogue.WriteAsync(cancel);
        }
        catch (RbdBackupException e)
        {
            onDamaged(e);
        }
    }

    /// <summary>
    /// What stands on a point that was voided, by a removal that was killed in the middle, is made independent now. The next rotation finds it whole.
    /// </summary>
    private async Task EndBegunAsync(IReadOnlyList<RotationPoint> broken, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        foreach (var point in broken)
        {
            try
            {
                await remover.EndAsync(point, cancel);
            }
            catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
            {
                onDamaged(e);
            }
        }
    }

    /// <summary>The points of each disk, oldest first. Keys come sorted by disk; the names that many points share are held once.</summary>
    private async Task<List<List<RotationPoint>>> ReadAsync(Action<RbdBackupException> onDamaged, IProgressReporter progress, CancellationToken cancel)
    {
        var disks = new List<List<RotationPoint>>();
        var names = new Dictionary<string, string>();
        string? Shared(string? name) => name is null ? null : names.TryGetValue(name, out var known) ? known : names[name] = name;
        var read = 0;
        await foreach (var catalogued in _catalogue.ReadAsync(onDamaged, cancel))
        {
            _catalogueIsOld |= !catalogued.IsCopy;
            var point = RotationPoint.Of(catalogued.Point);
            point = point with
            {
                Disk = Shared(point.Disk)!,
                Needs = point.Needs is { } b ? b with { Disk = Shared(b.Disk)! } : null,
                Policy = Shared(point.Policy),
                Project = Shared(point.Project),
            };
            if (disks.Count == 0 || disks[^1][0].Disk != point.Disk)
            {
                disks.Add([]);
            }

            disks[^1].Add(point);
            progress.Report("read manifests", ++read, 0, "{point}");
        }

        disks.ForEach(d => d.Sort(ByAge));
        return disks;
    }

    /// <summary>Points that another disk's point stands on, or an increment that is being made.</summary>
    private async Task<IReadOnlySet<PointId>> InUseAsync(List<List<RotationPoint>> disks, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        var points = disks.SelectMany(d => d);
        var inUse = points.Where(p => p.Needs is { } b && b.Disk != p.Disk).Select(p => p.Needs!.Point).ToHashSet();
        inUse.UnionWith(await RunningPlans.BasesAsync(repository, points.Select(p => p.Point).ToHashSet(), onDamaged, cancel, time.GetUtcNow() - jobDeadline));
        return inUse;
    }

    private async Task<DiskRotation> RotateAsync(RotationQuestion question, bool dryRun, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        var (disk, policies) = (question.Points[0].Disk, question.Rule?.Policies ?? []);
        var plan = RotatePlanner.Plan(question);
        try
        {
            if (!dryRun && plan.Verdicts.Any(v => !v.Keep))
            {
                (question, var read) = await ProveAsync(question, plan, cancel);
                // Whatever was pinned since the plan was made counts, too, and the time that has passed.
                question = question with { Pins = await _pins.ReadAsync(onDamaged, cancel), Now = time.GetUtcNow() };
                plan = RotatePlanner.Plan(question);
                if (!Counting(plan).All(p => read.Any(m => m.Point == p)))
                {
                    (question, read) = await ReadWholeAsync(question, cancel);
                    plan = RotatePlanner.Plan(question);
                }

                await RemoveAsync(plan, read, cancel);
            }

            return new DiskRotation(disk, policies, plan, plan.Refusal);
        }
        catch (RbdBackupException e) when (e.Kind is not (ErrorKind.Unavailable or ErrorKind.Permission or ErrorKind.NoSpace))
        {
            return new DiskRotation(disk, policies, plan, e);
        }
    }

    /// <summary>
    /// Reads the manifests themselves of the points that would go or be made independent, and of the last good one, without which all would be lost. Where one is not as the plan
    /// took it, all of the disk's are read, and they are what is asked about.
    /// </summary>
    private async Task<(RotationQuestion Question, IReadOnlyList<Manifest> Read)> ProveAsync(RotationQuestion question, RotationPlan plan, CancellationToken cancel)
    {
        var good = question.Points.LastOrDefault(p => question.Whole.Contains(p.Point));
        var counting = Counting(plan).ToHashSet();
        var counts = question.Points.Where(p => p == good || counting.Contains(p.Point)).ToDictionary(p => p.Point);
        var read = await repository.ReadDiskAsync(question.Points[0].Disk, null, cancel, key => counts.ContainsKey(key.Point));
        return read.Count == counts.Count && read.All(m => RotationPoint.Of(m) == counts[m.Point]) ? (question, read) : await ReadWholeAsync(question, cancel);
    }

    /// <summary>The points that a plan changes something about: their manifests must have been read.</summary>
    private static IEnumerable<PointId> Counting(RotationPlan plan) => plan.Verdicts.Where(v => !v.Keep).Select(v => v.Point.Point).Concat(plan.Consolidate);

    private async Task<(RotationQuestion Question, IReadOnlyList<Manifest> Read)> ReadWholeAsync(RotationQuestion question, CancellationToken cancel)
    {
        var read = await repository.ReadDiskAsync(question.Points[0].Disk, null, cancel);
        var points = read.Select(RotationPoint.Of).ToList();
        points.Sort(ByAge);
        var others = question.Whole.Except(question.Points.Select(p => p.Point)).ToHashSet();
        return (question with { Points = points, Rule = points.Count > 0 ? ruleOf(points) : null, Whole = RotationPoint.Whole(points, others) }, read);
    }

    private async Task RemoveAsync(RotationPlan plan, IReadOnlyList<Manifest> read, CancellationToken cancel)
    {
        var going = plan.Verdicts.Where(v => !v.Keep).Select(v => v.Point.Point).ToHashSet();
        if (going.Count > 0)
        {
            await remover.RemoveAsync(
                [.. read.Where(m => going.Contains(m.Point))], [.. read.Where(m => plan.Consolidate.Contains(m.Point)).OrderBy(m => m.Created)],
                plan.Verdicts.Select(v => v.Point.Point), IProgressReporter.None, cancel);
        }
    }

    private static int ByAge(RotationPoint a, RotationPoint b) => (a.Created, a.Point).CompareTo((b.Created, b.Point));
}
