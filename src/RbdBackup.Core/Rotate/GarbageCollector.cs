using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Servers;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Rotate;

/// <summary>How garbage is collected.</summary>
/// <param name="Grace">What must pass between writing a candidate down and deleting it: longer than the longest job, clock skew and listing lag together.</param>
/// <param name="JobDeadline">How old a job may become; a point without a manifest that is younger may still be committed.</param>
/// <param name="KeepJobs">How long finished jobs are kept.</param>
public sealed record GarbageOptions(TimeSpan Grace, TimeSpan JobDeadline, TimeSpan KeepJobs);

/// <summary>What a collection did.</summary>
/// <param name="Candidates">The objects that were written down.</param>
/// <param name="Deleted">The objects that were deleted.</param>
/// <param name="DeletedBytes">Their bytes.</param>
public sealed record GarbageResult(int Candidates, int Deleted, long DeletedBytes);

/// <summary>
/// Deletes what no manifest refers to, in two phases: candidates are written down; a later run, after the grace, looks at all manifests again and
/// deletes those that still are garbage.
/// </summary>
public sealed class GarbageCollector(PointRepository repository, GarbageOptions options, TimeProvider time)
{
    /// <summary>Runs both phases: deletes earlier runs' candidates that are ripe, then writes new ones down.</summary>
    /// <exception cref="RbdBackupException">Corrupt: a manifest can't be read; then nothing is deleted, since what it refers to is not known.</exception>
    public async Task<GarbageResult> RunAsync(bool dryRun, IProgressReporter progress, CancellationToken cancel)
    {
        var lists = await GarbageLists.ReadAsync(repository, options.Grace, cancel);
        var live = await LiveObjects.ReadAsync(repository, cancel);
        var (deleted, bytes, found, doomed) = (0, 0L, new List<string>(), new List<StoredObject>());
        await foreach (var stored in repository.Store.ListAsync(Keys.DataPrefix, cancel).Where(s => IsGarbage(s.Key, live)))
        {
            if (lists.IsRipe(stored.Key))
            {
                doomed.Add(stored);
            }
            else if (!lists.IsWaiting(stored.Key))
            {
                found.Add(stored.Key);
            }

            if (doomed.Count == GarbageLists.ListLength)
            {
                await DeleteAllAsync();
            }
        }

        await DeleteAllAsync();

        // A reader may be in the middle of an older revision: it goes as data does, and what it alone refers to after it.
        foreach (var older in live.Superseded)
        {
            found.AddRange(!lists.IsRipe(older) && !lists.IsWaiting(older) ? [older] : []);
            if (lists.IsRipe(older))
            {
                await DeleteAsync(older, dryRun, cancel);
                Checkpoints.Pass("gc.superseded");
                deleted++;
            }
        }

        await SweepPinsAsync(live, dryRun, cancel);
        await SweepAsync(Keys.JobsPrefix, s => time.GetUtcNow() - s.Modified > options.KeepJobs, dryRun, cancel);
        await SweepAsync(Keys.PointsPrefix, s => Keys.TryParseManifest(s.Key) is { } voided && live.IsAborted(voided.Point) && !live.IsNeeded(voided.Point), dryRun, cancel);
        await SweepAsync(Keys.PointsPrefix, s => Keys.TryParseAborted(s.Key) is { } mark && IsOver(mark.Point) && !live.HasPlan(mark.Point), dryRun, cancel);
        await SweepAsync(StoreProber.Prefix, s => time.GetUtcNow() - s.Modified > options.Grace, dryRun, cancel);
        await SweepCataloguesAsync(dryRun, cancel);
        await SweepVerifiedAsync(live, dryRun, cancel);
        await SweepServersAsync(live, dryRun, cancel);
        if (!dryRun)
        {
            await lists.EndAsync(found, cancel);
        }

        return new GarbageResult(found.Count, deleted, bytes);

        async Task DeleteAllAsync()
        {
            var may = doomed.Count > 0 && (dryRun || await lists.AnnounceAsync(doomed.Select(d => d.Key), cancel));
            foreach (var stored in may ? doomed : [])
            {
                await DeleteAsync(stored.Key, dryRun, cancel);
                Checkpoints.Pass("gc.deleted");
                progress.Report("collect", ++deleted, 0, "{object}");
                bytes += stored.Length;
            }

            doomed.Clear();
        }
    }

    private bool IsOver(PointId point) => time.GetUtcNow() - point.Time > options.JobDeadline + options.Grace;

    // Of a point without a manifest, a job may still be at work, unless its time is over or the point was voided.
    private bool IsGarbage(string key, LiveObjects live) =>
        Keys.PointOfData(key) is { } point && !live.Refers(key) && (live.IsCommitted(point) || live.IsAborted(point) || IsOver(point));

    private Task DeleteAsync(string key, bool dryRun, CancellationToken cancel) => dryRun ? Task.CompletedTask : repository.Store.DeleteAsync(key, cancel);

    private async Task SweepAsync(string prefix, Func<StoredObject, bool> which, bool dryRun, CancellationToken cancel)
    {
        await foreach (var stored in repository.Store.ListAsync(prefix, cancel))
        {
            if (which(stored))
            {
                await DeleteAsync(stored.Key, dryRun, cancel);
            }
        }
    }

    /// <summary>The newest catalogue stays; older ones, and parts of one that was never finished, stay for the grace: somebody may be reading or writing them.</summary>
    private async Task SweepCataloguesAsync(bool dryRun, CancellationToken cancel)
    {
        var newest = await new Catalogue(repository).FindNewestAsync(cancel) is { } key ? Keys.TryParseCatalogue(key) : null;
        bool IsOld(StoredObject s) => Keys.TryParseCatalogue(s.Key) is { } of && (of.Written, of.Attempt) != (newest?.Written, newest?.Attempt);
        await SweepAsync(Keys.CataloguePrefix, s => IsOld(s) && time.GetUtcNow() - s.Modified > options.Grace, dryRun, cancel);
    }

    /// <summary>Pins of points that are gone go, and those that a later one took the place of; a pin that has ended stays beside its point, for whoever asks.</summary>
    private async Task SweepPinsAsync(LiveObjects live, bool dryRun, CancellationToken cancel)
    {
        (string Key, PointId Point, int Revision)? last = null;
        await foreach (var stored in repository.Store.ListAsync(Keys.PinsPrefix, cancel))
        {
            if (Keys.TryParsePin(stored.Key) is not { } pin)
            {
                continue;
            }

            if (!live.IsCommitted(pin.Point) && IsOver(pin.Point))
            {
                await DeleteAsync(stored.Key, dryRun, cancel);
            }
            else if (last is { } before && before.Point == pin.Point && before.Revision < pin.Revision)
            {
                await DeleteAsync(before.Key, dryRun, cancel);
            }

            last = (stored.Key, pin.Point, pin.Revision);
        }
    }

    /// <summary>Server points go of which no disk's point is left. What can't be read stays, for whoever mends it.</summary>
    private async Task SweepServersAsync(LiveObjects live, bool dryRun, CancellationToken cancel)
    {
        bool IsGone(PointId point) => live.IsAborted(point) || (IsOver(point) && !live.IsCommitted(point));
        await foreach (var point in new ServerPointStore(repository).ReadAllAsync(null, _ => { }, cancel))
        {
            if (point.Disks.All(d => IsGone(d.Point)))
            {
                await DeleteAsync(point.Key, dryRun, cancel);
            }
        }
    }

    /// <summary>Results of verifications go with their points; of those that stay, the last one of each kind is kept, and what is as young as finished jobs.</summary>
    private async Task SweepVerifiedAsync(LiveObjects live, bool dryRun, CancellationToken cancel)
    {
        var (before, newer) = (default(PointId), new List<VerifiedKey>());
        await foreach (var stored in repository.Store.ListAsync(Keys.VerifiedPrefix, cancel))
        {
            if (Keys.TryParseVerified(stored.Key) is not { } result)
            {
                continue;
            }

            // The keys of a point ascend in time: one is superseded when the next of its kind is met.
            (before, newer) = before == result.Point ? (before, newer) : (result.Point, []);
            var gone = live.IsAborted(result.Point) || (IsOver(result.Point) && !live.IsCommitted(result.Point));
            var superseded = newer.Where(r => r.Kind == result.Kind && time.GetUtcNow() - r.At > options.KeepJobs).ToList();
            foreach (var old in gone ? [result.Key] : superseded.Select(r => r.Key))
            {
                await DeleteAsync(old, dryRun, cancel);
            }

            newer.RemoveAll(superseded.Contains);
            newer.Add(result);
        }
    }
}
