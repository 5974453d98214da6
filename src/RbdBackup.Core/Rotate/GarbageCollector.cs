using System.Buffers;
using System.Text.Json;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
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
    private const int ListLength = 10_000;

    /// <summary>Runs both phases: deletes earlier runs' candidates that are ripe, then writes new ones down.</summary>
    /// <exception cref="RbdBackupException">Corrupt: a manifest can't be read; then nothing is deleted, since what it refers to is not known.</exception>
    public async Task<GarbageResult> RunAsync(bool dryRun, IProgressReporter progress, CancellationToken cancel)
    {
        var (ripe, waiting) = await ReadListsAsync(cancel);
        var live = await LiveObjects.ReadAsync(repository, cancel);
        var (deleted, bytes, found) = (0, 0L, new List<string>());
        await foreach (var stored in repository.Store.ListAsync(Keys.DataPrefix, cancel))
        {
            if (!IsGarbage(stored.Key, live))
            {
                continue;
            }

            if (ripe.Contains(stored.Key))
            {
                await DeleteAsync(stored.Key, dryRun, cancel);
                Checkpoints.Pass("gc.deleted");
                progress.Report("collect", ++deleted, 0, "{object}");
                bytes += stored.Length;
            }
            else if (!waiting.Contains(stored.Key))
            {
                found.Add(stored.Key);
            }
        }

        // A reader may be in the middle of an older revision: it goes as data does, and what it alone refers to after it.
        foreach (var older in live.Superseded)
        {
            found.AddRange(!ripe.Contains(older) && !waiting.Contains(older) ? [older] : []);
            if (ripe.Contains(older))
            {
                await DeleteAsync(older, dryRun, cancel);
                Checkpoints.Pass("gc.superseded");
                deleted++;
            }
        }

        await SweepPinsAsync(live, dryRun, cancel);
        await SweepAsync(Keys.JobsPrefix, s => time.GetUtcNow() - s.Modified > options.KeepJobs, dryRun, cancel);
        await SweepAsync(Keys.PointsPrefix, s => Keys.TryParseManifest(s.Key) is { } voided && live.IsAborted(voided.Point), dryRun, cancel);
        await SweepAsync(Keys.PointsPrefix, s => Keys.TryParseAborted(s.Key) is { } mark && IsOver(mark.Point) && !live.HasPlan(mark.Point), dryRun, cancel);
        await SweepAsync(StoreProber.Prefix, s => time.GetUtcNow() - s.Modified > options.Grace, dryRun, cancel);
        await SweepVerifiedAsync(live, dryRun, cancel);
        if (!dryRun)
        {
            await WriteListsAsync(found, cancel);
            Checkpoints.Pass("gc.listed");
            await SweepAsync(Keys.GarbagePrefix, s => IsRipe(s.Key), false, cancel);
        }

        return new GarbageResult(found.Count, deleted, bytes);
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

    private async Task WriteListsAsync(List<string> candidates, CancellationToken cancel)
    {
        foreach (var chunk in candidates.Chunk(ListLength))
        {
            var list = new GarbageList(RepositoryFormat.Version, time.GetUtcNow(), chunk);
            var json = JsonSerializer.SerializeToUtf8Bytes(list, RepositoryJson.Default.GarbageList);
            await repository.Store.PutAsync(Keys.Garbage(time.GetUtcNow(), AttemptId.New()), new ReadOnlySequence<byte>(json), cancel);
        }
    }

    private bool IsRipe(string key) => Keys.TryParseGarbage(key) is { } written && time.GetUtcNow() - written >= options.Grace;

    private async Task<(KeySet Ripe, KeySet Waiting)> ReadListsAsync(CancellationToken cancel)
    {
        var (ripe, waiting) = (new KeySet(), new KeySet());
        await foreach (var stored in repository.Store.ListAsync(Keys.GarbagePrefix, cancel))
        {
            (IsRipe(stored.Key) ? ripe : waiting).UnionWith(await ReadListAsync(stored.Key, cancel));
        }

        // What is in both is ripe: the oldest list that names a key counts, and callers ask that first.
        return (ripe, waiting);
    }

    /// <summary>The candidates of a list; none where it is damaged: they are written down again, and it goes when its time has come.</summary>
    private async Task<IReadOnlyList<string>> ReadListAsync(string key, CancellationToken cancel)
    {
        try
        {
            return RepositoryFormat.ReadJson(await repository.Store.GetAsync(key, RepositoryFormat.MaxJson, cancel), RepositoryJson.Default.GarbageList, key).Candidates;
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
        {
            return [];
        }
    }
}
