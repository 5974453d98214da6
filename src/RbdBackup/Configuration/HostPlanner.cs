using System.IO.Enumeration;
using RbdBackup.Core.Model;

namespace RbdBackup.Configuration;

/// <summary>Whose servers have their disks in a cluster.</summary>
/// <param name="Pool">The pool of Nova's disks there.</param>
/// <param name="Hosts">Names of compute hosts, with <c>*</c> and <c>?</c>.</param>
/// <param name="Aggregates">Names of Nova's host aggregates.</param>
public sealed record HostRule(string Pool, IReadOnlyList<string> Hosts, IReadOnlyList<string> Aggregates);

/// <summary>The cluster that a compute host is named for.</summary>
/// <param name="Pool">The pool of Nova's disks there.</param>
/// <param name="By">What names it, such as <c>[ceph:ssd] hosts (cmp-*)</c>.</param>
public sealed record HostChoice(string Pool, string By);

/// <summary>Says in which cluster a server's disks are, by the host that it is on. Pure.</summary>
public static class HostPlanner
{
    /// <summary>The cluster that the host is named for; null where it is named for none, or the server is on no host.</summary>
    /// <param name="host">The server's host, as Nova shows it.</param>
    /// <param name="rules">What the clusters' sections say.</param>
    /// <param name="aggregates">The hosts of Nova's aggregates, by the aggregate's name.</param>
    /// <exception cref="RbdBackupException">Refused: it is named for two.</exception>
    public static HostChoice? Choose(string? host, IEnumerable<HostRule> rules, IReadOnlyDictionary<string, IReadOnlyList<string>> aggregates)
    {
        if (string.IsNullOrEmpty(host))
        {
            return null;
        }

        var named = rules.Select(r => (Rule: r, Why: Why(host, r, aggregates))).Where(n => n.Why is not null).ToList();
        return named switch
        {
            [] => null,
            [var one] => new HostChoice(one.Rule.Pool, $"{Section(one.Rule)} {one.Why}"),
            _ => throw new RbdBackupException(
                ErrorKind.Refused, $"compute host {host} is named for {named.Count} clusters: {string.Join(", ", named.Select(n => $"{Section(n.Rule)} {n.Why}"))}",
                "The disks of a host's servers are in one cluster: correct hosts and aggregates of these sections, or the aggregates in Nova."),
        };
    }

    /// <summary>Hosts and aggregates that are named for two clusters, as far as the configuration alone shows it; a line for each.</summary>
    public static IEnumerable<string> Clashes(IReadOnlyList<HostRule> rules)
    {
        for (var i = 0; i < rules.Count; i++)
        {
            var (rule, earlier) = (rules[i], rules.Take(i).ToList());
            foreach (var host in rule.Hosts)
            {
                // Of two equal names the later one is told of; of a name and a pattern, the name.
                var wider = IsPattern(host) ? [] : rules.Where(r => r != rule && r.Hosts.Any(h => IsPattern(h) && Matches(h, host)));
                foreach (var other in earlier.Where(r => r.Hosts.Contains(host)).Union(wider))
                {
                    yield return $"{Section(rule)} hosts: '{host}' is named in {Section(other)} too";
                }
            }

            foreach (var (aggregate, other) in rule.Aggregates.SelectMany(a => earlier.Where(r => r.Aggregates.Contains(a)).Select(r => (a, r))))
            {
                yield return $"{Section(rule)} aggregates: '{aggregate}' is named in {Section(other)} too";
            }
        }
    }

    private static string? Why(string host, HostRule rule, IReadOnlyDictionary<string, IReadOnlyList<string>> aggregates) =>
        rule.Hosts.FirstOrDefault(h => Matches(h, host)) is { } pattern ? $"hosts ({pattern})"
        : rule.Aggregates.FirstOrDefault(a => aggregates.TryGetValue(a, out var hosts) && hosts.Contains(host)) is { } aggregate ? $"aggregates ({aggregate})"
        : null;

    private static bool IsPattern(string name) => name.AsSpan().ContainsAny('*', '?');

    private static bool Matches(string pattern, string host) => FileSystemName.MatchesSimpleExpression(pattern, host, ignoreCase: false);

    private static string Section(HostRule rule) => ImageSpec.ClusterOf(rule.Pool) is { } name ? $"[ceph:{name}]" : "[ceph]";
}
