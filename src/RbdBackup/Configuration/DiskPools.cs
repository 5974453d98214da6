using RbdBackup.Core.Model;

namespace RbdBackup.Configuration;

/// <summary>In which Ceph pools servers and volumes have their disks; a pool of a cluster that is not the default one is written <c>CLUSTER:POOL</c>. Pure.</summary>
/// <param name="servers">The pools of Nova's disks, the default cluster's first.</param>
/// <param name="volumes">The pools of Cinder's volumes, the default cluster's first.</param>
/// <param name="listed">Backends of Cinder's and their pools, each as <c>BACKEND=POOL</c>: what Cinder shows of a volume names the backend, not the pool.</param>
public sealed class DiskPools(IReadOnlyList<string> servers, IReadOnlyList<string> volumes, IReadOnlyList<string> listed)
{
    private readonly Dictionary<string, string> _backends = listed.Select(l => l.Split('=')).GroupBy(l => l[0]).ToDictionary(g => g.Key, g => g.Last()[1]);

    /// <summary>The pools of Nova's disks, the default cluster's first.</summary>
    public IReadOnlyList<string> Servers { get; } = servers;

    /// <summary>All pools of Cinder's volumes, the default cluster's first.</summary>
    public IReadOnlyList<string> Volumes => [.. volumes.Concat(_backends.Values).Distinct()];

    /// <summary>The pool of a volume: its backend's, or the default one.</summary>
    /// <param name="host">Where it is, as Cinder shows it: <c>host@backend#name</c>.</param>
    public string OfVolume(string host) => Listed(host) ?? volumes[0];

    /// <summary>
    /// Where a volume's image may be: in its backend's pool, where that is listed; else in what Cinder shows as the pool, which may be the backend's name, and in
    /// the default one.
    /// </summary>
    /// <param name="host">Where it is, as Cinder shows it; null for nowhere.</param>
    public IReadOnlyList<string> OfVolumeAsShown(string? host)
    {
        if (host is not null && Listed(host) is { } pool)
        {
            return [pool];
        }

        var shown = host?.Split('#') is [_, { Length: > 0 } s] && s.AsSpan().IndexOfAny('/', ImageSpec.ClusterEnd) < 0 ? s : volumes[0];
        return [.. new[] { shown, volumes[0] }.Distinct()];
    }

    private string? Listed(string host)
    {
        // The most exact name counts: two hosts may have backends of one name.
        var backend = host[(host.IndexOf('@', StringComparison.Ordinal) + 1)..];
        var parts = backend.Split('#');
        return new[] { host, host.Split('#')[0], backend, parts[0], parts[^1] }.Select(name => _backends.GetValueOrDefault(name)).OfType<string>().FirstOrDefault();
    }
}
