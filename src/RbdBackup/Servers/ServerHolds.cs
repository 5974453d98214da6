using Microsoft.Extensions.Logging;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>
/// What was done to servers and has to be given back: written down before it is done, and given back by who did it, or, where that died, by whoever comes next. A server
/// that was paused, off or locked before is not written down as such, and stays so.
/// </summary>
internal sealed partial class ServerHolds(
    OpenStackCloud cloud, IImageCluster cluster, IStateStore state, LibvirtGuest? libvirt, HalfMadeServers halfMade, TimeSpan interval, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly ServerStates _states = new(cloud, time);

    /// <summary>Writes down what will be done.</summary>
    public static Task SaveAsync(ILease server, ServerHold hold, CancellationToken cancel) =>
        server.UpdateAsync(new Dictionary<string, byte[]> { [ServerHold.Key] = hold.Write() }, [], cancel);

    /// <summary>Says that all was given back.</summary>
    public static Task RemoveAsync(ILease server, CancellationToken cancel) => server.UpdateAsync(new Dictionary<string, byte[]>(), [ServerHold.Key], cancel);

    /// <summary>Runs until stopped: gives back what dead workers and commands left. What fails is tried again.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(interval, time);
        do
        {
            try
            {
                await PassAsync(stop);
            }
            catch (RbdBackupException e)
            {
                LogFailed(e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    /// <summary>One pass over all servers that nobody works on.</summary>
    public async Task PassAsync(CancellationToken cancel)
    {
        await foreach (var name in state.ListAsync(cancel))
        {
            if (StateKeys.IsServer(name) && ServerHold.Find(await state.ReadAsync(name, cancel)) is not null && await state.GetHolderAsync(name, cancel) is null)
            {
                try
                {
                    await using var lease = await state.AcquireAsync(name, cancel);
                    await GiveBackAsync(lease, cancel);
                }
                catch (RbdBackupException e)
                {
                    LogFailed(e.Message);
                }
            }
        }
    }

    /// <summary>Removes what earlier runs that were to make a server of this name have left.</summary>
    /// <exception cref="RbdBackupException">Busy: one of them is at work, or its lease has not lapsed yet.</exception>
    public async Task RemoveHalfMadeAsync(string newName, CancellationToken cancel)
    {
        await foreach (var name in state.ListAsync(cancel))
        {
            if (StateKeys.IsServer(name) && ServerHold.Find(await state.ReadAsync(name, cancel)) is { Kind: HoldKind.Making } hold && hold.NewName == newName)
            {
                await using var lease = await state.AcquireAsync(name, cancel);
                await GiveBackAsync(lease, cancel);
            }
        }
    }

    /// <summary>Gives back what is written down, if something is.</summary>
    /// <param name="server">The server's lease.</param>
    /// <param name="cancel">Ends the wait; it is still written down then.</param>
    public async Task GiveBackAsync(ILease server, CancellationToken cancel)
    {
        if (ServerHold.Find(await state.ReadAsync(server.Name, cancel)) is not { } hold)
        {
            return;
        }

        if (hold.Kind == HoldKind.Making)
        {
            await halfMade.RemoveAsync(hold, cancel);
            await RemoveAsync(server, cancel);
            return;
        }

        var done = await FindAsync(hold.Server, cancel) is not { } found || await GiveBackAsync(hold, found, cancel);
        if (done)
        {
            await RemoveAsync(server, cancel);
            LogGivenBack(hold.Server, hold.Kind);
        }
    }

    private async Task<bool> GiveBackAsync(ServerHold hold, Server server, CancellationToken cancel)
    {
        switch (hold.Kind)
        {
            case HoldKind.Paused:
                await UnpauseAsync(server.Id, cancel);
                return true;
            case HoldKind.Frozen:
                await ThawAsync(hold, server, cancel);
                return true;
            default:
                return await GiveRootDiskBackAsync(hold, server.Id, cancel);
        }
    }

    /// <summary>Lets a paused server run on.</summary>
    public async Task UnpauseAsync(string id, CancellationToken cancel)
    {
        var server = await _states.SettledAsync(id, Patience, cancel);
        if (server.Status == "PAUSED")
        {
            try
            {
                await cloud.Compute.UnpauseAsync(id, cancel);
            }
            catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
            {
                // Somebody else did it, or does it right now.
            }

            await _states.UntilAsync(id, "runs on", s => s.Status != "PAUSED" && s.TaskState is null, Patience, cancel);
        }
    }

    private Task ThawAsync(ServerHold hold, Server server, CancellationToken cancel) =>
        server.Status is "SHUTOFF" or "DELETED" ? Task.CompletedTask
        : libvirt is not null ? libvirt.ThawAsync(server.Id, server.Host ?? hold.Host, cancel)
        : throw new RbdBackupException(
            ErrorKind.Unavailable, $"the guest of server {server.Id} may be frozen, and [backup] libvirt_uri is not set any more", $"Set it, or on its host: 'virsh domfsthaw {server.Id}'.");

    /// <summary>Starts and unlocks a server, once it has a root disk: the old one or the restored one. Between the two the same restore has to go on first.</summary>
    private async Task<bool> GiveRootDiskBackAsync(ServerHold hold, string id, CancellationToken cancel)
    {
        if (hold.Image is { } image && await cluster.FindAsync(ImageSpec.Parse(image), cancel) is null)
        {
            LogNoDisk(id, image);
            return false;
        }

        var server = await _states.SettledAsync(id, Patience, cancel);
        if (hold.Ran && server.Status == "SHUTOFF")
        {
            await cloud.Compute.StartAsync(id, cancel);
            await _states.UntilAsync(id, "is ACTIVE", s => s.Status == "ACTIVE" && s.TaskState is null, Patience, cancel);
        }

        if (hold.Locked)
        {
            await cloud.Compute.UnlockAsync(id, cancel);
        }

        return true;
    }

    private async Task<Server?> FindAsync(string id, CancellationToken cancel)
    {
        try
        {
            return await cloud.Compute.GetServerAsync(id, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }

    [LoggerMessage(4050, LogLevel.Warning, "what was done to a server could not be given back, and is tried again: {Why}")]
    private partial void LogFailed(string why);

    [LoggerMessage(4051, LogLevel.Information, "server {Server} has back what was taken from it ({Kind})")]
    private partial void LogGivenBack(string server, HoldKind kind);

    [LoggerMessage(4052, LogLevel.Warning, "server {Server} stays off: a restore was interrupted while {Image} was exchanged; the same restore again goes on")]
    private partial void LogNoDisk(string server, string image);
}
