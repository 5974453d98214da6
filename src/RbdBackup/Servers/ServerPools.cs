using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>Where a server's disks may be.</summary>
/// <param name="Pools">The pools of Nova's disks: of one cluster, where the configuration names one for the server's host; else of all.</param>
/// <param name="Because">Why of that one alone; null where they may be in all.</param>
internal sealed record ServerPlace(IReadOnlyList<string> Pools, string? Because)
{
    /// <summary>What an operator is told of an image that is not there.</summary>
    public string Lacks(string image) => $"no image {image} in pool {string.Join(" or ", Pools)}{(Because is null ? "" : $", and {Because}")}";
}

/// <summary>In which pools a server's disks may be: one, where the configuration names a cluster for the server's host; else all clusters'.</summary>
internal sealed partial class ServerPools(RbdBackupSettings settings, ComputeClient nova, ILogger log, TimeProvider time)
{
    private static readonly TimeSpan Kept = TimeSpan.FromMinutes(5);

    private readonly IReadOnlyList<HostRule> _rules = settings.HostRules;

    // What Nova said, and when. Two that ask at once both read it.
    private volatile Tuple<IReadOnlyDictionary<string, IReadOnlyList<string>>, long>? _aggregates;
    private string? _said;

    /// <summary>The pools of Nova's disks in all clusters.</summary>
    public IReadOnlyList<string> All { get; } = settings.Pools.Servers;

    /// <summary>The pools of <see cref="PlaceAsync"/>.</summary>
    public async Task<IReadOnlyList<string>> OfAsync(Server server, CancellationToken cancel) => (await PlaceAsync(server, cancel)).Pools;

    /// <summary>Where its disks may be.</summary>
    /// <param name="server">The server as Nova just showed it: a server moves.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException">As <see cref="HostPlanner.Choose"/>; as Nova gives, where aggregates are named and it can't be asked.</exception>
    public async Task<ServerPlace> PlaceAsync(Server server, CancellationToken cancel)
    {
        if (All is [_] || string.IsNullOrEmpty(server.Host))
        {
            return new ServerPlace(All, null);
        }

        try
        {
            return HostPlanner.Choose(server.Host, _rules, await AggregatesAsync(cancel)) is { } choice
                ? new ServerPlace([choice.Pool], $"compute host {server.Host} is named for that cluster by {choice.By}")
                : new ServerPlace(All, null);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Refused)
        {
            throw new RbdBackupException(e.Kind, $"in which cluster the disks of server {server.Id} are is not known: {e.Message}", e.Remedy, e);
        }
    }

    private async Task<IReadOnlyDictionary<string, IReadOnlyList<string>>> AggregatesAsync(CancellationToken cancel)
    {
        var named = _rules.SelectMany(r => r.Aggregates).ToHashSet();
        if (named.Count == 0)
        {
            return new Dictionary<string, IReadOnlyList<string>>();
        }

        if (_aggregates is { } kept && time.GetElapsedTime(kept.Item2) < Kept)
        {
            return kept.Item1;
        }

        var read = await ReadAsync(named, cancel);
        _aggregates = Tuple.Create(read, time.GetTimestamp());
        return read;
    }

    private async Task<IReadOnlyDictionary<string, IReadOnlyList<string>>> ReadAsync(HashSet<string> named, CancellationToken cancel)
    {
        try
        {
            var read = (await nova.ListAggregatesAsync(cancel)).Where(a => named.Contains(a.Name)).ToDictionary(a => a.Name, a => a.Hosts);
            Warn(named.Where(n => !read.ContainsKey(n)).Order(StringComparer.Ordinal).ToList() is { Count: > 0 } missing ? $"Nova has no aggregate {string.Join(", ", missing)}" : null);
            return read;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Permission)
        {
            Warn($"Nova does not show them to us. {e.Remedy}");
            return new Dictionary<string, IReadOnlyList<string>>();
        }
    }

    /// <summary>Says it once, and again only after it was otherwise.</summary>
    private void Warn(string? why)
    {
        if (Interlocked.Exchange(ref _said, why) != why && why is not null)
        {
            LogNotKnown(why);
        }
    }

    [LoggerMessage(4170, LogLevel.Warning, "which hosts the aggregates of [ceph] sections mean is not known, and their servers' disks are looked for in all clusters: {Why}")]
    private partial void LogNotKnown(string why);
}
