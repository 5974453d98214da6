using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>Holds a guest by Nova's pause or by freezing its file systems, for a bounded time, and lets it go whatever happens.</summary>
/// <param name="cloud">The cloud.</param>
/// <param name="holds">What is written down, so that whoever comes next lets it go.</param>
/// <param name="libvirt">The hypervisors; null where they are not reached.</param>
/// <param name="server">The server's id.</param>
/// <param name="wanted">What is asked for.</param>
/// <param name="limit">For how long it may be held.</param>
/// <param name="holder">This host and process.</param>
/// <param name="time">The clock.</param>
internal sealed class ServerMoment(
    OpenStackCloud cloud, ServerHolds holds, LibvirtGuest? libvirt, string server, Consistency wanted, TimeSpan limit, string holder, TimeProvider time) : IServerMoment
{
    private readonly ServerStates _states = new(cloud, time);

    /// <inheritdoc/>
    public Task ClearAsync(ILease lease, CancellationToken cancel) => holds.GiveBackAsync(lease, cancel);

    /// <inheritdoc/>
    public async Task<HeldMoment> DuringAsync(ILease lease, Func<CancellationToken, Task> snapshots, CancellationToken cancel)
    {
        var before = await cloud.Compute.GetServerAsync(server, cancel);
        if (before.TaskState is { } task)
        {
            throw new RbdBackupException(ErrorKind.Busy, $"server {before.Name} ({server}) is just being changed ({task})", "Wait until that has ended, then run it again.");
        }

        return before.Status switch
        {
            "SHUTOFF" => await StillAsync(before, Consistency.Clean, snapshots, cancel),
            "PAUSED" or "SUSPENDED" => await StillAsync(before, Consistency.Paused, snapshots, cancel),
            "ACTIVE" when wanted == Consistency.Paused => await PausedAsync(lease, before, snapshots, cancel),
            "ACTIVE" when wanted == Consistency.Frozen => await FrozenAsync(lease, before, snapshots, cancel),
            _ => await CrashAsync(wanted == Consistency.Crash ? null : $"it is {before.Status}", snapshots, cancel),
        };
    }

    private async Task<HeldMoment> CrashAsync(string? whyNot, Func<CancellationToken, Task> snapshots, CancellationToken cancel)
    {
        await snapshots(cancel);
        return new HeldMoment(Consistency.Crash, null, whyNot is null ? null : wanted, whyNot);
    }

    /// <summary>Nothing writes to its disks, if it is after the snapshots what it was before.</summary>
    private async Task<HeldMoment> StillAsync(Server before, Consistency consistency, Func<CancellationToken, Task> snapshots, CancellationToken cancel)
    {
        await snapshots(cancel);
        var after = await cloud.Compute.GetServerAsync(server, cancel);
        return after.Status == before.Status && after.TaskState is null && after.Updated == before.Updated
            ? new HeldMoment(consistency)
            : new HeldMoment(Consistency.Crash, null, wanted, $"it was {before.Status}, and was changed while the snapshots were made");
    }

    private async Task<HeldMoment> PausedAsync(ILease lease, Server before, Func<CancellationToken, Task> snapshots, CancellationToken cancel)
    {
        await ServerHolds.SaveAsync(lease, Hold(HoldKind.Paused, before), cancel);
        Checkpoints.Pass("server.hold");
        var started = time.GetTimestamp();
        var held = false;
        try
        {
            using var bounded = Bounded(cancel);
            try
            {
                await cloud.Compute.PauseAsync(server, cancel);
                await _states.UntilAsync(server, "is PAUSED", s => s.Status == "PAUSED" && s.TaskState is null, limit, bounded.Token);
                held = true;
                Checkpoints.Pass("server.paused");
                await snapshots(bounded.Token);
                Checkpoints.Pass("server.held");
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                throw TooLong(before, "paused");
            }
        }
        catch (RbdBackupException e) when (!held && e.Kind is ErrorKind.Busy or ErrorKind.Unavailable)
        {
            await LetGoAsync(lease, () => holds.UnpauseAsync(server, CancellationToken.None));
            return await CrashAsync($"it could not be paused: {e.Message}", snapshots, cancel);
        }
        catch
        {
            await LetGoAsync(lease, () => holds.UnpauseAsync(server, CancellationToken.None));
            throw;
        }

        await LetGoAsync(lease, () => holds.UnpauseAsync(server, CancellationToken.None));
        return new HeldMoment(Consistency.Paused, (long)time.GetElapsedTime(started).TotalMilliseconds);
    }

    private async Task<HeldMoment> FrozenAsync(ILease lease, Server before, Func<CancellationToken, Task> snapshots, CancellationToken cancel)
    {
        if (libvirt is null)
        {
            return await CrashAsync("[backup] libvirt_uri is not set", snapshots, cancel);
        }

        await ServerHolds.SaveAsync(lease, Hold(HoldKind.Frozen, before), cancel);
        Checkpoints.Pass("server.hold");
        using var bounded = Bounded(cancel);
        var started = time.GetTimestamp();
        FrozenGuest guest;
        try
        {
            guest = await libvirt.FreezeAsync(server, before.Host, limit, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Unavailable)
        {
            await ServerHolds.RemoveAsync(lease, CancellationToken.None);
            return await CrashAsync(e.Message, snapshots, cancel);
        }

        await using (guest)
        {
            try
            {
                Checkpoints.Pass("server.frozen");
                await snapshots(bounded.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                await LetGoAsync(lease, guest.ThawAsync);
                throw TooLong(before, "frozen");
            }
            catch
            {
                await LetGoAsync(lease, guest.ThawAsync);
                throw;
            }

            await LetGoAsync(lease, guest.ThawAsync);
        }

        return new HeldMoment(Consistency.Frozen, (long)time.GetElapsedTime(started).TotalMilliseconds);
    }

    /// <summary>Also of a run that is interrupted. What fails here is still written down, for whoever comes next.</summary>
    private static async Task LetGoAsync(ILease lease, Func<Task> letGo)
    {
        await letGo();
        Checkpoints.Pass("server.letgo");
        await ServerHolds.RemoveAsync(lease, CancellationToken.None);
    }

    private CancellationTokenSource Bounded(CancellationToken cancel)
    {
        var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        bounded.CancelAfter(limit);
        return bounded;
    }

    private ServerHold Hold(HoldKind kind, Server before) =>
        new() { Kind = kind, Server = server, Since = time.GetUtcNow(), Holder = holder, Host = before.Host, Ran = true };

    private RbdBackupException TooLong(Server before, string how) => new(
        ErrorKind.Unavailable, $"server {before.Name} ({server}) would have been {how} for more than {limit.TotalSeconds:0} s ([backup] hold_limit); it runs on",
        "Look why snapshots take so long, raise the limit, or take a point with --consistency crash.");
}
