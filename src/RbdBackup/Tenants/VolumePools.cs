namespace RbdBackup.Tenants;

/// <summary>In which Ceph pools Cinder's backends have their volumes. What Cinder shows of a volume names the backend, not the pool.</summary>
/// <param name="usual">The pool of backends that are not listed.</param>
/// <param name="listed">Backends and their pools, each as <c>BACKEND=POOL</c>.</param>
internal sealed class VolumePools(string usual, IReadOnlyList<string> listed)
{
    private readonly Dictionary<string, string> _pools = listed.Select(l => l.Split('=')).GroupBy(l => l[0]).ToDictionary(g => g.Key, g => g.Last()[1]);

    /// <summary>The pool of a volume.</summary>
    /// <param name="host">Where it is, as Cinder shows it: <c>host@backend#name</c>.</param>
    public string Of(string host)
    {
        // The most exact name counts: two hosts may have backends of one name.
        var backend = host[(host.IndexOf('@', StringComparison.Ordinal) + 1)..];
        var parts = backend.Split('#');
        return new[] { host, backend, parts[0], parts[^1] }.Select(name => _pools.GetValueOrDefault(name)).OfType<string>().FirstOrDefault(usual);
    }
}
