using System.Runtime.CompilerServices;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Restore;

/// <summary>What became of an image.</summary>
/// <param name="Item">The image, and what was planned.</param>
/// <param name="Result">What the restore did; null where there was none.</param>
/// <param name="Error">Why it failed; null where it did not.</param>
public sealed record RestoredItem(RestoreItem Item, RestoreResult? Result, RbdBackupException? Error);

/// <summary>
/// Brings back every image of a repository under its old name, some at a time, the most important first. An image appears under its name only when it is whole: so what
/// is there need not be done again, and the same command after a kill goes on.
/// </summary>
/// <param name="cluster">The cluster, which may be empty, with its pools.</param>
/// <param name="repository">The repository.</param>
/// <param name="restore">Restores one image.</param>
/// <param name="atATime">How many at a time.</param>
/// <param name="time">The clock.</param>
/// <param name="tell">Does a point's restore, and tells others of it.</param>
public sealed class RestoreAllRunner(
    IImageCluster cluster, PointRepository repository, RestoreRunner restore, int atATime, TimeProvider time, Func<Manifest, Func<Task>, Task>? tell = null)
{
    // The lease and the watch of a run that died just now lapse by themselves, within less than a minute.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2), Pause = TimeSpan.FromSeconds(2);

    /// <summary>What would be done.</summary>
    /// <exception cref="RbdBackupException">NotFound: a pool of the points is missing in the cluster.</exception>
    public async Task<IReadOnlyList<RestoreItem>> PlanAsync(RestoreAllAsk ask, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        var (points, sizes) = (new List<RotationPoint>(), new Dictionary<PointId, long>());
        await foreach (var (point, _, _) in new Catalogue(repository).ReadAsync(onDamaged, cancel))
        {
            points.Add(RotationPoint.Of(point));
            sizes[point.Point] = point.Size;
        }

        var images = points.Select(p => p.Disk).Distinct().ToDictionary(d => d, d => Keys.ParseDisk(d).Image);
        var there = new HashSet<ImageSpec>();
        foreach (var (pool, name) in images.Values.Select(i => (i.Pool, i.Namespace)).Distinct())
        {
            if (ask.Pools.Count == 0 || ask.Pools.Contains(pool))
            {
                there.UnionWith((await cluster.ListImagesAsync(pool, name, cancel)).Select(image => new ImageSpec(pool, name, image)));
            }
        }

        return [.. RestoreAllPlanner.Plan(points, disk => images[disk], there.Contains, ask).Select(i => i.Point is { } p ? i with { Size = sizes[p.Point] } : i)];
    }

    /// <summary>Restores what is planned, and tells of each image as it ends, in the plan's order. One that fails does not hold the others up.</summary>
    public async IAsyncEnumerable<RestoredItem> RunAsync(IReadOnlyList<RestoreItem> plan, bool replace, IProgressReporter progress, [EnumeratorCancellation] CancellationToken cancel)
    {
        var sum = new SummedProgress(progress, plan.Where(i => i.Verdict == RestoreVerdict.Restore).Sum(i => i.Size));
        var results = plan.ToAsyncEnumerable().SelectParallelAsync(
            atATime, (item, token) => item.Verdict == RestoreVerdict.Restore ? RestoreAsync(item, replace, sum.Of(item), token) : Task.FromResult(new RestoredItem(item, null, null)), cancel);
        await foreach (var result in results.WithCancellation(cancel))
        {
            yield return result;
        }
    }

    private async Task<RestoredItem> RestoreAsync(RestoreItem item, bool replace, SummedProgress.One progress, CancellationToken cancel)
    {
        try
        {
            var point = await repository.FindNewestAsync(item.Point!.Disk, item.Point.Point, cancel)
                ?? throw new RbdBackupException(ErrorKind.NotFound, $"point {item.Point.Point} of {item.Image} was removed since it was listed", "Run it again: it takes the one before.");
            RestoreResult? result = null;
            async Task WorkAsync() => result = await PatientlyAsync(new RestoreAsk(point, item.Image, replace, LoseSnapshots: false), progress, cancel);
            await (tell is null ? WorkAsync() : tell(point, WorkAsync));
            return new RestoredItem(item, result, null);
        }
        catch (RbdBackupException e)
        {
            return new RestoredItem(item, null, e);
        }
        finally
        {
            progress.End();
        }
    }

    private async Task<RestoreResult> PatientlyAsync(RestoreAsk ask, SummedProgress.One progress, CancellationToken cancel)
    {
        for (var from = time.GetTimestamp(); ; await Task.Delay(Pause, time, cancel))
        {
            try
            {
                return await restore.RunAsync(ask, progress, cancel);
            }
            catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy && time.GetElapsedTime(from) < Patience)
            {
                // Tried again.
            }
        }
    }

    /// <summary>Adds up how far restores are that run at the same time, in bytes of their images.</summary>
    private sealed class SummedProgress(IProgressReporter inner, long total)
    {
        private long _done;

        public One Of(RestoreItem item) => new(this, item.Size);

        private void Add(long bytes) => inner.Report("restore", Interlocked.Add(ref _done, bytes), total, "By");

        /// <summary>One of them.</summary>
        public sealed class One(SummedProgress sum, long size) : IProgressReporter
        {
            private readonly Lock _lock = new();
            private long _told;

            public void Report(string phase, long done, long total, string unit) => Tell(unit == "By" ? Math.Min(done, size) : 0);

            /// <summary>It ended, with all of it or not: it keeps nothing waiting.</summary>
            public void End() => Tell(size);

            private void Tell(long done)
            {
                lock (_lock)
                {
                    if (done > _told)
                    {
                        sum.Add(done - _told);
                        _told = done;
                    }
                }
            }
        }
    }
}
