using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Composition;

/// <summary>Nova's servers, as a sweep asks for them.</summary>
internal sealed class NovaServers(OpenStackCloud cloud) : IServerDirectory
{
    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<Guid, KnownServer>> ListAsync(CancellationToken cancel)
    {
        var servers = new Dictionary<Guid, KnownServer>();
        await foreach (var server in cloud.Compute.ListServersAsync(new ServerFilter { AllProjects = true }, cancel))
        {
            if (Guid.TryParseExact(server.Id, "D", out var id))
            {
                servers[id] = new KnownServer(server.Updated, server.TaskState is not null || server.IsUnknown);
            }
        }

        return servers;
    }

    /// <inheritdoc/>
    public async Task<ServerFate> FindAsync(Guid server, CancellationToken cancel)
    {
        var id = server.ToString("D");
        try
        {
            if ((await cloud.Compute.GetServerAsync(id, cancel)).Status != "DELETED")
            {
                return new ServerFate(OwnerState.Present);
            }
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // It may never have been there: a proof is only what Nova remembers of it.
        }

        return await cloud.Compute.FindDeletedServerAsync(id, cancel) is { Status: "DELETED" } deleted
            ? new ServerFate(OwnerState.Deleted, deleted.Updated)
            : new ServerFate(OwnerState.Unknown);
    }

    /// <inheritdoc/>
    public async Task<DateTimeOffset?> LastRebuildAsync(Guid server, CancellationToken cancel) =>
        (await cloud.Compute.ListActionsAsync(server.ToString("D"), cancel)).Where(a => a is { Action: "rebuild", Message: null }).Max(a => a.StartTime);
}
