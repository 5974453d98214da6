using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Servers;

/// <summary>What a look for disks in one pool found.</summary>
/// <param name="Pool">The pool.</param>
/// <param name="Images">The names of the images that were looked for and are there.</param>
/// <param name="Error">Why the pool could not be looked into; null where it could.</param>
internal sealed record PoolSight(string Pool, IReadOnlyList<string> Images, RbdBackupException? Error = null);

/// <summary>Says in which of several clusters' pools disks are. Nova does not say: each compute host's configuration does. Pure.</summary>
internal static class PoolPlanner
{
    /// <summary>The pool; null where there is no such disk in any.</summary>
    /// <param name="whose">Whose disks they are, for errors.</param>
    /// <param name="sights">What was found in each pool.</param>
    /// <exception cref="RbdBackupException">
    /// Refused: in two clusters. Unavailable: in none of those that answer, and one does not: nobody can say that it has no disk.
    /// </exception>
    public static string? Choose(string whose, IReadOnlyList<PoolSight> sights) => sights.Where(s => s.Images.Count > 0).ToList() switch
    {
        [var one] => one.Pool,
        [] when sights.Select(s => s.Error).FirstOrDefault(e => e is not null) is { } error => throw new RbdBackupException(
            ErrorKind.Unavailable, $"in which cluster the disks of {whose} are is not known: {error.Message}", error.Remedy, error),
        [] => null,
        var several => throw new RbdBackupException(
            ErrorKind.Refused, $"the disks of {whose} are in {several.Count} clusters: {string.Join(", ", several.Select(s => new ImageSpec(s.Pool, s.Images[0])))}",
            "Nova uses those in the cluster of the server's host; others are left of a migration. Name the host in [ceph] hosts, or rename or remove them; then do it again."),
    };
}

/// <summary>Finds in which of these pools disks are, by looking. Where there is one alone nothing is looked for.</summary>
internal sealed class DiskSearch(IImageCluster cluster, IReadOnlyList<string> pools)
{
    /// <summary>The pool of a server's disks; the default one where it has none anywhere.</summary>
    /// <exception cref="RbdBackupException">As <see cref="PoolPlanner.Choose"/>.</exception>
    /// <remarks>A server that boots from a volume may have an ephemeral disk, and no root disk.</remarks>
    public Task<string> OfAsync(string server, CancellationToken cancel) =>
        OfAsync($"server {server}", [$"{server}_disk", $"{server}_disk.eph0", $"{server}_disk.local"], cancel);

    /// <summary>The pool that has one of these images; the default one where none has.</summary>
    /// <exception cref="RbdBackupException">As <see cref="PoolPlanner.Choose"/>.</exception>
    public async Task<string> OfAsync(string whose, IReadOnlyList<string> names, CancellationToken cancel) => pools is [var only]
        ? only
        : PoolPlanner.Choose(whose, await LookAsync(pool => FindAsync(pool, names, cancel))) ?? pools[0];

    /// <summary>The images that begin with a server's id, in the pool of its disks.</summary>
    public async Task<IReadOnlyList<ImageSpec>> ImagesAsync(string server, CancellationToken cancel)
    {
        var sights = pools is [var only]
            ? [new PoolSight(only, await ListAsync(only, server, cancel))]
            : await LookAsync(pool => ListAsync(pool, server, cancel));
        return PoolPlanner.Choose($"server {server}", sights) is { } chosen ? [.. sights.First(s => s.Pool == chosen).Images.Select(i => new ImageSpec(chosen, i))] : [];
    }

    private async Task<PoolSight[]> LookAsync(Func<string, Task<IReadOnlyList<string>>> look) => await Task.WhenAll(pools.Select(async pool =>
    {
        try
        {
            return new PoolSight(pool, await look(pool));
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // A cluster that has no such pool has none of Nova's disks.
            return new PoolSight(pool, []);
        }
        catch (RbdBackupException e)
        {
            return new PoolSight(pool, [], e);
        }
    }));

    private async Task<IReadOnlyList<string>> FindAsync(string pool, IReadOnlyList<string> names, CancellationToken cancel)
    {
        foreach (var name in names)
        {
            if (await cluster.FindAsync(new ImageSpec(pool, name), cancel) is not null)
            {
                return [name];
            }
        }

        return [];
    }

    private async Task<IReadOnlyList<string>> ListAsync(string pool, string server, CancellationToken cancel) =>
        [.. (await cluster.ListImagesAsync(pool, "", cancel)).Where(i => i.StartsWith(server, StringComparison.Ordinal))];
}
