using RbdBackup.Configuration;
using RbdBackup.Core.Requests;
using RbdBackup.Worker;

namespace RbdBackup.Tenants;

/// <summary>A server point to ask for.</summary>
/// <param name="Server">Of which server.</param>
/// <param name="Project">Its project, as Nova says it.</param>
/// <param name="Policy">By which policy.</param>
/// <param name="Key">Equal whenever the same wish is found again.</param>
/// <param name="Disks">The disks that it covers, as far as it is known now.</param>
internal sealed record PlannedServerAsk(string Server, string Project, string Policy, DedupKey Key, IReadOnlyList<Disk> Disks);

/// <summary>Which wishes are for a server as a whole: those of its disks that its own metadata protect, by a policy whose consistency is set. Pure.</summary>
internal static class ServerAskPlanner
{
    /// <summary>True for a policy that makes server points.</summary>
    public static bool MakesServerPoints(IReadOnlyDictionary<string, PolicySettings> policies, string? policy) =>
        policy is not null && policies.GetValueOrDefault(policy)?.Consistency is not null;

    /// <summary>Takes the wishes for disks that are one for their server out of the others.</summary>
    /// <param name="seen">What was seen.</param>
    /// <param name="asks">The wishes for its disks.</param>
    /// <param name="policies">The policies.</param>
    /// <returns>The wishes that are left, and the one for the server; null where there is none.</returns>
    public static (IReadOnlyList<PlannedAsk> Disks, PlannedServerAsk? Server) Split(
        Survey seen, IReadOnlyList<PlannedAsk> asks, IReadOnlyDictionary<string, PolicySettings> policies)
    {
        // A look at a volume finds what is meant for the volume alone.
        var whole = seen is { Subject.Kind: SubjectKind.Server, Project: not null }
            ? asks.Where(a => a.Disk.ByServer && MakesServerPoints(policies, a.Policy)).ToList()
            : [];
        if (whole.Count == 0)
        {
            return (asks, null);
        }

        var id = seen.Subject.Id;
        var key = DedupKey.OfServer(id, "disks", string.Join(' ', whole.Select(a => a.Key.Value).Order(StringComparer.Ordinal)));
        return ([.. asks.Except(whole)], new PlannedServerAsk(id, seen.Project!, whole[0].Policy!, key, [.. seen.Disks.Where(d => d.ByServer)]));
    }

    /// <summary>The servers whose disks a policy backs up together, each with those disks.</summary>
    /// <param name="members">The policy's disks.</param>
    public static IReadOnlyDictionary<string, IReadOnlyList<Member>> Servers(IEnumerable<Member> members) =>
        members.Where(m => m is { ByServer: true, Server: not null, Project: not null }).GroupBy(m => m.Server!)
            .ToDictionary(g => g.Key, IReadOnlyList<Member> (g) => [.. g.OrderBy(m => m.Image.ToString(), StringComparer.Ordinal)]);
}
