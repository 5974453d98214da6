using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using RbdBackup.Composition;
using RbdBackup.Configuration;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;
using RbdBackup.Observe;
using RbdBackup.Tenants;

namespace RbdBackup.Worker;

/// <summary>Carries out what waits in an image's records, with a bound on jobs in a cluster and on jobs in one pool. One an image holds by its lease.</summary>
internal sealed partial class Dispatcher(
    IStateStore state, BackupRunner runner, Services services, JobsSettings limits, WorkerMetrics metrics, JobEvents events, TimeProvider time, ILogger log,
    TenantHouse? tenants = null) : IDisposable
{
    // Each cluster has its own: jobs that hang in one must not keep those in others waiting.
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _places = new();
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _pools = new();

    /// <summary>Runs all that is due on the image of a state object; what fails is in its record, with the time of the next try.</summary>
    public async Task RunAsync(string name, CancellationToken stop)
    {
        foreach (var (ask, requestId) in await DueAsync(name, stop))
        {
            var pool = _pools.GetOrAdd(ask.Image.Pool, _ => new SemaphoreSlim(limits.PerPool));
            await pool.WaitAsync(stop);
            try
            {
                using var place = await EnterAsync(ask.Image.Cluster, stop);
                await RunOneAsync(ask, requestId, stop);
            }
            finally
            {
                pool.Release();
            }
        }
    }

    /// <summary>Waits for one of the places that jobs have in all in a cluster, null for the default one; it is free again when the result is disposed.</summary>
    public async Task<IDisposable> EnterAsync(string? cluster, CancellationToken stop)
    {
        var places = _places.GetOrAdd(cluster ?? "", _ => new SemaphoreSlim(limits.Concurrency));
        await places.WaitAsync(stop);
        return new Place(places);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var pool in _pools.Values.Concat(_places.Values))
        {
            pool.Dispose();
        }
    }

    private async Task RunOneAsync(BackupAsk ask, string requestId, CancellationToken stop)
    {
        using var scope = log.BeginJobScope(requestId, ask.Image.ToString());
        using var running = metrics.Running();
        try
        {
            var point = await events.BackupAsync(ask.Image, ask.Policy, ask.AskedBy.Project, () => runner.RunAsync(ask, IProgressReporter.None, stop));
            metrics.Finished(point);
            tenants?.Ended(point);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
        {
            // Another worker has the image; what waits is in its records, and the reconciler comes back to it.
            LogBusy(ask.Image, e.Message);
        }
        catch (RbdBackupException e)
        {
            metrics.Failed(ask.Image, e.Kind);
            tenants?.Failed(ask.Image, e.Kind);
            LogFailed(ask.Image, e.Message, e.Remedy);
        }
    }

    /// <summary>Unfinished jobs first; then one new point that answers every request for the image as it is now, and one for each snapshot that was named.</summary>
    private async Task<IReadOnlyList<(BackupAsk Ask, string RequestId)>> DueAsync(string name, CancellationToken stop)
    {
        var records = await state.ReadAsync(name, stop);
        var jobs = ImageJobs.Jobs(records);
        var due = jobs.Where(j => j.NextTry is null || j.NextTry <= time.GetUtcNow()).Select(j => (AskOf(j), j.Point.ToString())).ToList();
        var taken = jobs.SelectMany(j => j.RequestKeys).ToHashSet();
        var requests = records.Where(r => StateKeys.IsRequest(r.Key) && !taken.Contains(r.Key))
            .Select(r => (r.Key, Request: TryRead(r.Value))).Where(r => r.Request is not null)
            .GroupBy(r => r.Request!.Snapshot);
        foreach (var group in requests)
        {
            var first = group.First().Request!;
            var ask = new BackupAsk(
                first.Image, group.Key, group.Any(r => r.Request!.Full), first.Policy, services.CycleDaysOf(first.Policy), first.AskedBy)
            { RequestKeys = [.. group.Select(r => r.Key)] };
            due.Add((ask, first.Id.ToString()));
        }

        return due;
    }

    private static BackupAsk AskOf(JobRecord job) =>
        new(ImageSpec.Parse(job.Image), job.OwnSnapshot ? null : job.SnapshotName, job.Full, job.Policy, job.CycleDays, job.AskedBy)
        { RequestKeys = job.RequestKeys, Resume = job.Point };

    private BackupRequest? TryRead(byte[] json)
    {
        try
        {
            return BackupRequestJson.Read(json);
        }
        catch (RbdBackupException e)
        {
            LogUnreadable(e.Message);
            return null;
        }
    }

    private sealed class Place(SemaphoreSlim places) : IDisposable
    {
        public void Dispose() => places.Release();
    }

    [LoggerMessage(4001, LogLevel.Information, "{Image} is busy: {Why}; tried again by the reconciler")]
    private partial void LogBusy(ImageSpec image, string why);

    [LoggerMessage(4002, LogLevel.Error, "the backup of {Image} failed: {Why}. {Remedy}")]
    private partial void LogFailed(ImageSpec image, string why, string? remedy);

    [LoggerMessage(4003, LogLevel.Warning, "a request in the records can't be read and is left alone: {Why}")]
    private partial void LogUnreadable(string why);
}
