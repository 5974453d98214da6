using RbdBackup.Core.Jobs;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Servers;

namespace RbdBackup.Servers;

/// <summary>Writes wishes for server points into RADOS: nothing follows from one before it is there.</summary>
internal static class ServerRequests
{
    /// <summary>Writes a wish, unless it waits already or was answered before.</summary>
    /// <returns>The state object that has it; null where it was answered.</returns>
    public static async Task<string?> RecordAsync(IStateStore state, ServerRequest request, CancellationToken cancel)
    {
        var name = StateKeys.Server(request.Server);
        var records = await state.ReadAsync(name, cancel);
        if (ImageJobs.Answered(records).Contains(request.Key))
        {
            return null;
        }

        if (!records.ContainsKey(request.Key))
        {
            // What waits has tries behind it that must not be forgotten.
            await state.WriteUnleasedAsync(name, request.Key, request.Write(), cancel);
        }

        return name;
    }

    /// <summary>Removes wishes, and remembers that they were answered: they may come again.</summary>
    public static async Task SettleAsync(IStateStore state, ILease lease, IReadOnlyCollection<ServerRequest> requests, CancellationToken cancel)
    {
        if (requests.Count > 0)
        {
            var records = await state.ReadAsync(lease.Name, cancel);
            await lease.UpdateAsync(ImageJobs.WithAnswered(records, requests.Select(r => r.Key)), [.. requests.Select(r => r.Key)], cancel);
        }
    }
}
