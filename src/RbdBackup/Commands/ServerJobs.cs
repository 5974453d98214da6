using RbdBackup.Cli;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;
using RbdBackup.Servers;

namespace RbdBackup.Commands;

/// <summary>The wishes for server points among the jobs: what they are about is their id, since each try makes another point.</summary>
internal static class ServerJobs
{
    /// <summary>Ends a wish: one that waits is taken away, one that is being answered has its disks' jobs end.</summary>
    public static async Task CancelAsync(CommandContext context, IStateStore state, DedupKey key, CancellationToken cancel)
    {
        var (name, request) = await FindAsync(state, key, cancel);
        var running = false;
        try
        {
            await using var lease = await state.AcquireAsync(name, cancel);
            await ServerRequests.SettleAsync(state, lease, [await AgainAsync(state, name, key, cancel)], cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
        {
            running = true;
            if (!await AskDisksToEndAsync(state, request, cancel))
            {
                throw new RbdBackupException(ErrorKind.Busy, $"server {request.Server} is at work, and its disks' jobs have not begun", "Try again in a moment.");
            }
        }

        context.Output.Write(
            new CancelledServerDocument(key.ToString(), request.Server, running, !running), DocumentJson.Shared.CancelledServerDocument,
            human => human.Line(running ? $"The backup of server {request.Server} is asked to end; 'rbdbackup jobs' shows when it has." : $"The wish for a backup of server {request.Server} is cancelled."));
    }

    /// <summary>Has a wish's next try come now: workers make it, at their next look.</summary>
    public static async Task RetryAsync(CommandContext context, IStateStore state, DedupKey key, CancellationToken cancel)
    {
        var (name, request) = await FindAsync(state, key, cancel);
        await using var lease = await state.AcquireAsync(name, cancel);
        var due = await AgainAsync(state, name, key, cancel) with { NextTry = null };
        await lease.UpdateAsync(new Dictionary<string, byte[]> { [due.Key] = due.Write() }, [], cancel);
        context.Output.Write(
            new QueuedServerDocument(key.ToString(), request.Server, Queued: true), DocumentJson.Shared.QueuedServerDocument,
            human => human.Line($"The backup of server {request.Server} is due; a worker makes it at its next look."));
    }

    private static async Task<(string Name, ServerRequest Request)> FindAsync(IStateStore state, DedupKey key, CancellationToken cancel)
    {
        await foreach (var name in state.ListAsync(cancel).Where(StateKeys.IsServer))
        {
            if (ServerRequest.Waiting(await state.ReadAsync(name, cancel)).FirstOrDefault(r => r.DedupKey == key) is { } request)
            {
                return (name, request);
            }
        }

        throw NoJob(key);
    }

    /// <summary>The wish as it is under the lease.</summary>
    private static async Task<ServerRequest> AgainAsync(IStateStore state, string name, DedupKey key, CancellationToken cancel) =>
        ServerRequest.Waiting(await state.ReadAsync(name, cancel)).FirstOrDefault(r => r.DedupKey == key) ?? throw NoJob(key);

    private static async Task<bool> AskDisksToEndAsync(IStateStore state, ServerRequest request, CancellationToken cancel)
    {
        var any = false;
        await foreach (var name in state.ListAsync(cancel).Where(StateKeys.IsImage))
        {
            foreach (var job in ImageJobs.Jobs(await state.ReadAsync(name, cancel)).Where(j => request.Point is not null && j.ServerPoint?.Id == request.Point))
            {
                await state.WriteUnleasedAsync(name, StateKeys.Cancel(job.Point), [], cancel);
                any = true;
            }
        }

        return any;
    }

    private static RbdBackupException NoJob(DedupKey key) => new(ErrorKind.NotFound, $"there is no job {key}", "'rbdbackup jobs' shows the jobs.");

    /// <summary>A wish that ends, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record CancelledServerDocument(string Id, string Server, bool Asked, bool Cancelled);

    /// <summary>A wish that is due.</summary>
    internal sealed record QueuedServerDocument(string Id, string Server, bool Queued);
}
