using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>Waits, with a bound, until Nova has done what it was told.</summary>
internal sealed class ServerStates(OpenStackCloud cloud, TimeProvider time)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    /// <summary>The server as soon as it is so.</summary>
    /// <param name="id">The server.</param>
    /// <param name="what">What is waited for, for people: "is SHUTOFF".</param>
    /// <param name="holds">Whether it is so.</param>
    /// <param name="limit">How long to wait.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException">Unavailable: it is not so in time, or it went into ERROR.</exception>
    public async Task<Server> UntilAsync(string id, string what, Func<Server, bool> holds, TimeSpan limit, CancellationToken cancel)
    {
        for (var started = time.GetTimestamp(); ; await Task.Delay(Poll, time, cancel))
        {
            var server = await cloud.Compute.GetServerAsync(id, cancel);
            if (holds(server))
            {
                return server;
            }

            if (server.Status == "ERROR" || time.GetElapsedTime(started) > limit)
            {
                throw new RbdBackupException(
                    ErrorKind.Unavailable, $"server {server.Name} ({id}) should be so that it {what}, and is {server.Status}{(server.TaskState is { } task ? $" ({task})" : "")}{Fault(server)}",
                    $"'openstack server show {id}' says more.");
            }
        }
    }

    /// <summary>The server once nothing is done to it.</summary>
    public Task<Server> SettledAsync(string id, TimeSpan limit, CancellationToken cancel) => UntilAsync(id, "has no task", s => s.TaskState is null, limit, cancel);

    private static string Fault(Server server) => server.Fault?.Message is { } fault ? $": {fault}" : "";
}
