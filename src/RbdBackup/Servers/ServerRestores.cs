using Microsoft.Extensions.Logging;
using RbdBackup.Composition;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Servers;

/// <summary>
/// Puts a root disk in place of a server's: locked, so that its project does not start it meanwhile, off only while the images are exchanged, and then as it was before. Killed
/// anywhere, the same command again goes on.
/// </summary>
internal sealed class ServerRestores(
    OpenStackCloud cloud, IImageCluster cluster, IStateStore state, ServerHolds holds, RestoreRunner restores, ServerPools serverPools, ILoggerFactory loggers, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan WatchersGo = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    private readonly ServerStates _states = new(cloud, time);
    private readonly ILogger _log = loggers.CreateLogger<ServerRestores>();

    /// <summary>Restores onto the server's root disk.</summary>
    /// <param name="point">The point.</param>
    /// <param name="id">The server.</param>
    /// <param name="loseSnapshots">True: also where the disk has snapshots that are not ours.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends it; the server is as it was before.</param>
    /// <exception cref="RbdBackupException">Refused: it has no root disk of its own, or is in a state in which that can't be exchanged.</exception>
    public async Task<RestoreResult> ToServerAsync(Manifest point, string id, bool loseSnapshots, IProgressReporter progress, CancellationToken cancel)
    {
        var server = await cloud.Compute.GetServerAsync(id, cancel);
        await using var lease = await state.AcquireAsync(StateKeys.Server(server.Id), cancel);
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancel, lease.Lost);
        await holds.GiveBackAsync(lease, held.Token);
        var root = new ImageSpec(await new DiskSearch(cluster, await serverPools.OfAsync(server, held.Token)).OfAsync(server.Id, held.Token), $"{server.Id}_disk");

        // What an interrupted restore wrote down still says what the server was before that.
        var hold = ServerHold.Find(await state.ReadAsync(lease.Name, held.Token)) ?? await BeginAsync(server.Id, root, held.Token);
        await ServerHolds.SaveAsync(lease, hold, held.Token);
        Checkpoints.Pass("server.hold");
        try
        {
            if (hold.Locked)
            {
                await cloud.Compute.LockAsync(server.Id, $"rbdbackup: its root disk is being restored from point {point.Point}", held.Token);
            }

            var ask = new RestoreAsk(point, root, Replace: true, loseSnapshots) { LetGoAsync = token => StopAsync(server.Id, root, token) };
            var result = await restores.RunAsync(ask, progress, held.Token);
            await holds.GiveBackAsync(lease, held.Token);
            return result;
        }
        catch
        {
            await TryGiveBackAsync(lease);
            throw;
        }
    }

    /// <summary>Stops a server, and waits until nobody has its disk open.</summary>
    public async Task StopAsync(string id, ImageSpec root, CancellationToken cancel)
    {
        var server = await _states.SettledAsync(id, Patience, cancel);
        if (server.Status != "SHUTOFF")
        {
            await cloud.Compute.StopAsync(id, cancel);
            await _states.UntilAsync(id, "is SHUTOFF", s => s.Status == "SHUTOFF" && s.TaskState is null, Patience, cancel);
        }

        Checkpoints.Pass("server.stopped");
        for (var started = time.GetTimestamp(); await IsOpenAsync(root, cancel) && time.GetElapsedTime(started) < WatchersGo;)
        {
            await Task.Delay(Poll, time, cancel);
        }
    }

    private async Task<bool> IsOpenAsync(ImageSpec root, CancellationToken cancel)
    {
        await using var image = await cluster.OpenAsync(root, writable: false, cancel);
        return (await image.ListWatchersAsync(cancel)).Any(w => !w.Own);
    }

    private async Task<ServerHold> BeginAsync(string id, ImageSpec root, CancellationToken cancel)
    {
        var server = await cloud.Compute.GetServerAsync(id, cancel);
        if (await cluster.FindAsync(root, cancel) is null)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"server {server.Name} ({id}) has no root disk {root}{(server.ImageId is null ? ": it boots from a volume" : "")}",
                server.ImageId is null ? "Restore the point to that volume." : $"It is {server.Status}; one that was shelved has to be unshelved first.");
        }

        return server is { TaskState: null, Status: "ACTIVE" or "SHUTOFF" }
            ? new ServerHold
            {
                Kind = HoldKind.Restoring,
                Server = id,
                Since = time.GetUtcNow(),
                Holder = Services.Holder,
                Ran = server.Status == "ACTIVE",
                Locked = !server.Locked,
                Image = root.ToString(),
            }
            : throw new RbdBackupException(
                ErrorKind.Refused, $"server {server.Name} ({id}) is {server.Status}{(server.TaskState is { } task ? $" ({task})" : "")}; its root disk can be exchanged where it is ACTIVE or SHUTOFF",
                "Start or stop it, then restore again.");
    }

    private async Task TryGiveBackAsync(ILease lease)
    {
        try
        {
            await holds.GiveBackAsync(lease, CancellationToken.None);
        }
        catch (RbdBackupException e)
        {
            // The first error is what the person needs; it stays written down.
            _log.LogUngiven(e.Message);
        }
    }
}

/// <summary>What restores of servers log.</summary>
internal static partial class ServerRestoreLog
{
    [LoggerMessage(2010, LogLevel.Warning, "what was done to a server could not be given back; a worker, or the same restore, does it: {Why}")]
    public static partial void LogUngiven(this ILogger log, string why);

    [LoggerMessage(2011, LogLevel.Warning, "what a failed restore into a new server has made could not be removed; a worker, or the next such restore, does it: {Why}")]
    public static partial void LogLeft(this ILogger log, string why);
}
