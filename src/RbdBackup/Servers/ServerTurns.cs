using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using RbdBackup.Composition;
using RbdBackup.Configuration;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Worker;

namespace RbdBackup.Servers;

/// <summary>
/// Makes the server points that wait in RADOS: at once what this worker asked for, and what others left, by a look over all servers. One point answers all that waits
/// for a server. The point's id is written down before it is made, so whoever finds the wish of a dead worker knows whether it is answered.
/// </summary>
internal sealed partial class ServerTurns(
    OpenStackCloud cloud, IStateStore state, PointRepository repository, ServerBackups backups, Dispatcher dispatcher, ServerReports reports, Services services, JobsSettings limits,
    TimeSpan interval, TimeProvider time, ILogger log)
{
    private readonly Channel<string> _due = Channel.CreateUnbounded<string>();
    private readonly ConcurrentDictionary<string, Task> _running = new();
    private readonly RetryRule _retries = new(limits.MaxAttempts, limits.RetryDelay, limits.Deadline);

    /// <summary>Asks for a server point: a wish that was answered before is none.</summary>
    public async Task AskAsync(ServerRequest request, CancellationToken cancel)
    {
        if (await ServerRequests.RecordAsync(state, request, cancel) is { } name)
        {
            _due.Writer.TryWrite(name);
        }
    }

    /// <summary>Looks for what waits until stopped; a look that fails is tried again.</summary>
    public async Task LookAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(interval, time);
        do
        {
            try
            {
                await Task.WhenAll(_running.Values.Where(t => t.IsFaulted));
                await foreach (var name in state.ListAsync(stop))
                {
                    if (StateKeys.IsServer(name) && Due(await state.ReadAsync(name, stop)).Count > 0 && await state.GetHolderAsync(name, stop) is null)
                    {
                        _due.Writer.TryWrite(name);
                    }
                }
            }
            catch (RbdBackupException e)
            {
                LogLookFailed(e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    /// <summary>Makes what is due until stopped, and ends when all that it began has ended.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            await foreach (var name in _due.Reader.ReadAllAsync(stop))
            {
                // What comes for a server that is at work is found by that work before it ends, or by the next look.
                if (_running.GetValueOrDefault(name) is not { IsCompletedSuccessfully: false })
                {
                    _running[name] = TakeUpAsync(name, stop);
                }

                foreach (var done in _running.Where(r => r.Value.IsCompletedSuccessfully))
                {
                    _running.TryRemove(done);
                }
            }
        }
        finally
        {
            await Task.WhenAll(_running.Values);
        }
    }

    private async Task TakeUpAsync(string name, CancellationToken stop)
    {
        await Task.Yield();
        try
        {
            while (Due(await state.ReadAsync(name, stop)).Count > 0)
            {
                using var place = await dispatcher.EnterAsync(null, stop);
                await using var lease = await state.AcquireAsync(name, stop);
                await AnswerAsync(lease, StateKeys.ServerOf(name)!, stop);
            }
        }
        catch (RbdBackupException e)
        {
            // Busy: somebody else is at it. What waits is in the records, and the next look comes back to it.
            LogLater(StateKeys.ServerOf(name)!, e.Message);
        }
        catch (OperationCanceledException)
        {
            // The worker stops, or the lease is lost; what was begun is in the records.
        }
    }

    /// <summary>All that waits, where some of it is due: one point answers all.</summary>
    private List<ServerRequest> Due(IReadOnlyDictionary<string, byte[]> records)
    {
        var waiting = ServerRequest.Waiting(records);
        return waiting.Any(r => r.IsDue(time.GetUtcNow())) ? [.. waiting] : [];
    }

    private async Task AnswerAsync(ILease lease, string server, CancellationToken stop)
    {
        var records = await state.ReadAsync(lease.Name, stop);
        var answered = ImageJobs.Answered(records);
        var (done, open) = (new List<ServerRequest>(), new List<ServerRequest>());
        foreach (var request in Due(records))
        {
            var isDone = answered.Contains(request.Key)
                || (request.Point is { } made && await new ServerPointStore(repository).HasAsync(new ServerPointReference(made, server), stop));
            (isDone ? done : open).Add(request);
        }

        await ServerRequests.SettleAsync(state, lease, done, stop);
        if (open.Count > 0)
        {
            await TryAsync(lease, server, open, stop);
        }
    }

    private async Task TryAsync(ILease lease, string server, List<ServerRequest> open, CancellationToken stop)
    {
        // The newest wish is by the policy that the server has now.
        var (id, asked) = (PointId.New(time.GetUtcNow()), open[^1]);
        open = [.. open.Select(r => r with { Point = id })];
        await SaveAsync(lease, open, stop);
        Checkpoints.Pass("turn.begun");
        try
        {
            var point = await reports.TellAsync(asked, async () => await MakeAsync(lease, asked, id, stop));
            Checkpoints.Pass("turn.made");
            await ServerRequests.SettleAsync(state, lease, open, stop);
            LogMade(server, point.Id, open.Count);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
        {
            // No try: another job has one of the disks, or Nova something to do with the server.
            LogLater(server, e.Message);
            await SaveAsync(lease, [.. open.Select(r => r with { NextTry = time.GetUtcNow() + limits.RetryDelay, LastError = e.Message })], stop);
        }
        catch (RbdBackupException e)
        {
            var failed = open.Select(r => r.Failed(e.Message, _retries, time.GetUtcNow())).ToList();
            var isFinal = e.Kind is ErrorKind.Refused or ErrorKind.Dropped; // cancelled, or the server is gone, or its disk was released meanwhile
            var over = failed.Where(r => isFinal || r.NextTry is null).ToList();
            await SaveAsync(lease, [.. failed.Except(over)], stop);
            await ServerRequests.SettleAsync(state, lease, over, stop);
            LogFailed(server, failed.Max(r => r.Tries), over.Count == failed.Count ? "it is given up" : "it is tried again", e.Message, e.Remedy);
        }
    }

    private async Task<ServerPoint> MakeAsync(ILease lease, ServerRequest asked, PointId id, CancellationToken stop)
    {
        var server = await FindAsync(asked.Server, stop)
            ?? throw new RbdBackupException(ErrorKind.Dropped, $"server {asked.Server} is gone", "Its points stay as long as their policy keeps them; there is nothing more to back up.");
        if (server.IsUnknown)
        {
            throw new RbdBackupException(ErrorKind.Unavailable, $"Nova does not know now how server {asked.Server} is", "Its cell does not answer; the backup is tried again.");
        }

        return await backups.RunAsync(
            server, backups.ConsistencyOf(null, asked.Policy), full: false, asked.Policy, services.CycleDaysOf(asked.Policy), asked.AskedBy, IProgressReporter.None, stop, (lease, id));
    }

    private async Task<Server?> FindAsync(string id, CancellationToken stop)
    {
        try
        {
            return await cloud.Compute.GetServerAsync(id, stop) is { Status: not ("DELETED" or "SOFT_DELETED") } server ? server : null;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }

    private static Task SaveAsync(ILease lease, List<ServerRequest> requests, CancellationToken stop) =>
        requests.Count == 0 ? Task.CompletedTask : lease.UpdateAsync(requests.ToDictionary(r => r.Key, r => r.Write()), [], stop);

    [LoggerMessage(4160, LogLevel.Information, "server {Server} has its point {Point}, which answers {Count} requests")]
    private partial void LogMade(string server, PointId point, int count);

    [LoggerMessage(4161, LogLevel.Information, "the backup of server {Server} waits: {Why}")]
    private partial void LogLater(string server, string why);

    [LoggerMessage(4162, LogLevel.Error, "the backup of server {Server} failed, try {Try}, and {What}: {Why}. {Remedy}")]
    private partial void LogFailed(string server, int @try, string what, string why, string? remedy);

    [LoggerMessage(4163, LogLevel.Warning, "a look for servers that wait for a backup failed and is tried again: {Why}")]
    private partial void LogLookFailed(string why);
}
