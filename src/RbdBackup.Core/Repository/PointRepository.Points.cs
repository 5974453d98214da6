using System.Runtime.CompilerServices;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <content>Which points there are, and what stands on what: read from the manifests, always. <see cref="Catalogue"/> does it quicker, where no more is asked for than a list.</content>
public sealed partial class PointRepository
{
    /// <summary>The keys of all points' manifests below a prefix (of <see cref="Keys.PointsPrefix"/>), disk by disk, points ascending, revisions ascending; aborted points are left out.</summary>
    public async IAsyncEnumerable<ManifestKey> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        var pending = new List<ManifestKey>();
        await foreach (var stored in Store.ListAsync(prefix, cancel))
        {
            // "aborted" sorts behind the revisions' digits of the same point, so a point's manifests wait until the next point begins.
            if (Keys.TryParseAborted(stored.Key) is { } mark)
            {
                pending.RemoveAll(p => p.Point == mark.Point && p.Disk == mark.Disk);
            }
            else if (Keys.TryParseManifest(stored.Key) is { } key)
            {
                if (pending.Count > 0 && (pending[0].Point != key.Point || pending[0].Disk != key.Disk))
                {
                    foreach (var ready in pending)
                    {
                        yield return ready;
                    }

                    pending.Clear();
                }

                pending.Add(key with { Length = stored.Length });
            }
        }

        foreach (var ready in pending)
        {
            yield return ready;
        }
    }

    /// <summary>The points below a prefix, each with its highest valid revision, in the order of <see cref="ListAsync"/>.</summary>
    /// <param name="prefix">A prefix of manifest keys.</param>
    /// <param name="onDamaged">Told of each manifest that can't be read, perhaps from several threads; it is passed over.</param>
    /// <param name="cancel">Ends the listing.</param>
    /// <param name="which">Tells by their keys which manifests are wanted; null: all are.</param>
    public async IAsyncEnumerable<Manifest> ReadAllAsync(
        string prefix, Action<RbdBackupException>? onDamaged, [EnumeratorCancellation] CancellationToken cancel, Predicate<ManifestKey>? which = null)
    {
        var read = RevisionsAsync(prefix, cancel).Where(r => which?.Invoke(r[0]) ?? true)
            .SelectParallelAsync(ReadsInFlight, (revisions, token) => ReadHighestAsync(revisions, onDamaged, token), cancel);
        await foreach (var manifest in read.WithCancellation(cancel))
        {
            if (manifest is not null)
            {
                yield return manifest;
            }
        }
    }

    /// <summary>The newest good point of each disk; of most disks one manifest is read.</summary>
    public IAsyncEnumerable<Manifest> ReadNewestAsync(CancellationToken cancel) =>
        NewestAsync(cancel).SelectParallelAsync(
            ReadsInFlight,
            async (newest, token) => await ReadHighestAsync(newest, null, token) ?? (await ReadDiskAsync(newest[0].Disk, null, token) is [.., var older] ? older : null),
            cancel).OfType<Manifest>();

    private async IAsyncEnumerable<List<ManifestKey>> NewestAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        List<ManifestKey>? last = null;
        await foreach (var revisions in RevisionsAsync(Keys.PointsPrefix, cancel))
        {
            if (last is not null && last[0].Disk != revisions[0].Disk)
            {
                yield return last;
            }

            last = revisions;
        }

        if (last is not null)
        {
            yield return last;
        }
    }

    /// <summary>The keys of <see cref="ListAsync"/>, those of one point together.</summary>
    internal async IAsyncEnumerable<List<ManifestKey>> RevisionsAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        var revisions = new List<ManifestKey>();
        await foreach (var key in ListAsync(prefix, cancel))
        {
            if (revisions.Count > 0 && revisions[0].Point != key.Point)
            {
                yield return revisions;
                revisions = [];
            }

            revisions.Add(key);
        }

        if (revisions.Count > 0)
        {
            yield return revisions;
        }
    }

    /// <summary>The points of a disk, oldest first; with <paramref name="which"/> those whose keys it takes.</summary>
    public async Task<IReadOnlyList<Manifest>> ReadDiskAsync(
        string disk, Action<RbdBackupException>? onDamaged, CancellationToken cancel, Predicate<ManifestKey>? which = null)
    {
        var points = new List<Manifest>();
        await foreach (var manifest in ReadAllAsync(Keys.DiskPrefix(disk), onDamaged, cancel, which))
        {
            points.Add(manifest);
        }

        return points;
    }

    /// <summary>The point with this id, wherever it is.</summary>
    /// <exception cref="RbdBackupException">NotFound; Corrupt.</exception>
    public async Task<Manifest> FindAsync(PointId point, CancellationToken cancel)
    {
        var revisions = new List<ManifestKey>();
        await foreach (var key in ListAsync(Keys.PointsPrefix, cancel))
        {
            if (key.Point == point)
            {
                revisions.Add(key);
            }
        }

        RbdBackupException? damage = null;
        return await ReadHighestAsync(revisions, e => damage = e, cancel)
            ?? throw damage ?? new RbdBackupException(ErrorKind.NotFound, $"there is no point {point} in {Store.Url}", "'rbdbackup list' shows the points.");
    }

    /// <summary>The points that a point stands on, and itself, the full first.</summary>
    /// <param name="point">The point.</param>
    /// <param name="cancel">Ends the search.</param>
    /// <param name="known">Points that were read before and need not be read again; they count though they may have been voided since.</param>
    /// <exception cref="RbdBackupException">Corrupt: a point of the chain is missing.</exception>
    public async Task<IReadOnlyList<Manifest>> ReadChainAsync(Manifest point, CancellationToken cancel, IReadOnlyList<Manifest>? known = null)
    {
        var chain = new List<Manifest> { point };
        var disks = new Dictionary<string, IReadOnlyList<Manifest>>();
        while (chain[^1].Needs is { } wanted)
        {
            var found = known?.FirstOrDefault(m => m.Point == wanted.Point);
            if (found is null)
            {
                if (!disks.TryGetValue(wanted.Disk, out var disk))
                {
                    // What a point stands on is older than it, unless a clock was wrong: mostly there is no need to read newer ones.
                    disk = await ReadDiskAsync(wanted.Disk, null, cancel, key => key.Point <= wanted.Point);
                    disks[wanted.Disk] = disk = IsWhole(wanted, disk) ? disk : await ReadDiskAsync(wanted.Disk, null, cancel);
                }

                found = disk.FirstOrDefault(m => m.Point == wanted.Point);
            }

            // A chain that leads into itself would never end.
            found = chain.Count <= disks.Values.Sum(d => d.Count) + (known?.Count ?? 0) + 1 ? found : null;
            // Where its base was pruned meanwhile, one of the points on it was made independent before: looked for twice, since a removal may end between the looks.
            var revised = found is null ? await FindRevisedAsync(chain, cancel) : null;
            if (found is null && revised is null)
            {
                found = chain.TrueForAll(m => m.Point != wanted.Point) ? await ReadVoidedAsync(wanted, cancel) : null;
                revised = found is null ? await FindRevisedAsync(chain, cancel) : null;
            }

            if (revised is { } from)
            {
                (chain, disks) = ([.. chain.Take(from.At), from.Newer], []);
                continue;
            }

            if (found is null && await FindNewestAsync(point, cancel) is null)
            {
                throw Removed(point);
            }

            chain.Add(found ?? throw new RbdBackupException(
                ErrorKind.Corrupt, $"point {point.Point} of {point.Disk.Spec} stands on point {wanted.Point}, which is missing or damaged",
                "'rbdbackup list' shows other points; make a new full backup with 'backup --full'."));
        }

        chain.Reverse();
        return chain;
    }

    /// <summary>The lowest point of a chain, given from its top, that has a newer revision than the one that was read; null where none has.</summary>
    private async Task<(int At, Manifest Newer)?> FindRevisedAsync(List<Manifest> chain, CancellationToken cancel)
    {
        for (var at = chain.Count - 1; at >= 0; at--)
        {
            if (await FindNewestAsync(chain[at], cancel) is { } newest && newest.Revision > chain[at].Revision)
            {
                return (at, newest);
            }
        }

        return null;
    }

    /// <summary>
    /// The newest revision of a point that was voided, and whose manifests are still there: a removal that was killed in the middle. What was committed on it right
    /// before still reads it; null where there is none.
    /// </summary>
    internal async Task<Manifest?> ReadVoidedAsync(PointBase wanted, CancellationToken cancel)
    {
        var revisions = new List<ManifestKey>();
        await foreach (var stored in Store.ListAsync(Keys.PointPrefix(wanted.Disk, wanted.Point), cancel))
        {
            revisions.AddRange(Keys.TryParseManifest(stored.Key) is { } key ? [key] : []);
        }

        return await ReadHighestAsync(revisions, null, cancel);
    }

    private static RbdBackupException Removed(Manifest point) =>
        new(ErrorKind.NotFound, $"point {point.Point} of {point.Disk.Spec} was removed while it was read", "'rbdbackup list' shows the points that are there.");

    /// <summary>True where a point's chain, as far as it lies on its disk, is among these points.</summary>
    private static bool IsWhole(PointBase wanted, IReadOnlyList<Manifest> points)
    {
        var byId = points.ToDictionary(p => p.Point);
        PointBase? at = wanted;
        for (var hops = 0; at is not null && at.Disk == wanted.Disk && hops <= points.Count; hops++)
        {
            if (!byId.TryGetValue(at.Point, out var found))
            {
                return false;
            }

            at = found.Needs;
        }

        return true;
    }

    /// <summary>The newest revision of a point; null where the point is gone.</summary>
    /// <exception cref="RbdBackupException">Corrupt: none of its manifests can be read.</exception>
    public Task<Manifest?> FindNewestAsync(Manifest point, CancellationToken cancel) => FindNewestAsync(point.Disk.Key, point.Point, cancel);

    /// <summary>The newest revision of a disk's point; null where the point is gone.</summary>
    /// <exception cref="RbdBackupException">Corrupt: none of its manifests can be read.</exception>
    public async Task<Manifest?> FindNewestAsync(string disk, PointId point, CancellationToken cancel)
    {
        var revisions = new List<ManifestKey>();
        await foreach (var key in ListAsync(Keys.PointPrefix(disk, point), cancel))
        {
            revisions.Add(key);
        }

        RbdBackupException? damage = null;
        return await ReadHighestAsync(revisions, e => damage = e, cancel) ?? (damage is { Kind: ErrorKind.Corrupt } ? throw damage : null);
    }

    private async Task<Manifest?> ReadHighestAsync(List<ManifestKey> revisions, Action<RbdBackupException>? onDamaged, CancellationToken cancel) =>
        (await ReadStoredAsync(revisions, onDamaged, cancel))?.Manifest;

    /// <summary>The revision that readers try first.</summary>
    internal static ManifestKey Highest(List<ManifestKey> revisions) => revisions.MaxBy(r => r.Revision)!;

    /// <summary>The highest valid one of a point's revisions, and its bytes; null where there is none.</summary>
    internal async Task<(Manifest Manifest, byte[] Stored)?> ReadStoredAsync(
        List<ManifestKey> revisions, Action<RbdBackupException>? onDamaged, CancellationToken cancel)
    {
        foreach (var key in revisions.OrderByDescending(r => r.Revision))
        {
            try
            {
                var stored = await Store.GetAsync(key.Key, RepositoryFormat.MaxJson, cancel);
                return (ManifestCodec.Read(stored, key.Key), stored);
            }
            catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
            {
                onDamaged?.Invoke(e);
            }
        }

        return null;
    }
}
