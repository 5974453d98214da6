using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>A repository in a store: its header, its manifests, and the objects that they name.</summary>
public sealed class PointRepository : IAsyncDisposable
{
    private readonly TimeProvider _time;

    private PointRepository(IObjectStore store, IFrameCodec codec, RepositoryHeader header, TimeProvider time) =>
        (Store, Codec, Header, _time) = (store, codec, header, time);

    /// <summary>Where everything is.</summary>
    public IObjectStore Store { get; }

    /// <summary>How new frames are compressed; it reads all others too.</summary>
    public IFrameCodec Codec { get; }

    /// <summary>The repository's head.</summary>
    public RepositoryHeader Header { get; }

    /// <summary>Opens the repository in a store; <paramref name="create"/> makes an empty one where there is none.</summary>
    /// <exception cref="RbdBackupException">NotFound: no bucket, no folder or no repository in it; Unsupported: a newer one.</exception>
    public static async Task<PointRepository> OpenAsync(IObjectStore store, IFrameCodec codec, TimeProvider time, bool create, CancellationToken cancel)
    {
        await store.CheckAsync(cancel);
        var header = await ReadHeaderAsync(store, cancel);
        if (header is null && create)
        {
            // Two that create at once write two headers; both then read the one with the smaller key.
            var made = new RepositoryHeader(RepositoryFormat.Version, [], Guid.NewGuid(), time.GetUtcNow());
            var json = JsonSerializer.SerializeToUtf8Bytes(made, RepositoryJson.Default.RepositoryHeader);
            await store.PutAsync($"{Keys.HeaderPrefix}{made.Id:D}.json", new ReadOnlySequence<byte>(json), cancel);
            header = await ReadHeaderAsync(store, cancel);
        }

        return header is null
            ? throw new RbdBackupException(ErrorKind.NotFound, $"there is no repository in {store.Url}", "The first backup makes one. Check the store's address.")
            : new PointRepository(store, codec, header, time);
    }

    /// <summary>Closes the store.</summary>
    public ValueTask DisposeAsync() => Store.DisposeAsync();

    /// <summary>Stores an object and says how to name it.</summary>
    public async Task<ObjectReference> PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var piece in content)
        {
            sha.AppendData(piece.Span);
        }

        await Store.PutAsync(key, content, cancel);
        return new ObjectReference(key, content.Length, Convert.ToHexStringLower(sha.GetHashAndReset()));
    }

    /// <summary>Stores a point's manifest: the commit.</summary>
    public Task CommitAsync(Manifest manifest, CancellationToken cancel) =>
        Store.PutAsync(
            Keys.Manifest(manifest.Disk.Key, manifest.Point, manifest.Revision, manifest.Attempt, manifest.Kind, manifest.StoredBytes),
            new ReadOnlySequence<byte>(ManifestCodec.Write(manifest)), cancel);

    /// <summary>Voids a point before it is committed: whatever an attempt that is still running writes, it is no point.</summary>
    public Task AbortAsync(string disk, PointId point, CancellationToken cancel) =>
        Store.PutAsync(Keys.Aborted(disk, point), new ReadOnlySequence<byte>("aborted\n"u8.ToArray()), cancel);

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

                pending.Add(key);
            }
        }

        foreach (var ready in pending)
        {
            yield return ready;
        }
    }

    /// <summary>The points below a prefix, each with its highest valid revision, in the order of <see cref="ListAsync"/>.</summary>
    /// <param name="prefix">A prefix of manifest keys.</param>
    /// <param name="onDamaged">Told of each manifest that can't be read; it is passed over.</param>
    /// <param name="cancel">Ends the listing.</param>
    public async IAsyncEnumerable<Manifest> ReadAllAsync(
        string prefix, Action<RbdBackupException>? onDamaged, [EnumeratorCancellation] CancellationToken cancel)
    {
        var revisions = new List<ManifestKey>();
        await foreach (var key in ListAsync(prefix, cancel))
        {
            if (revisions.Count > 0 && revisions[0].Point != key.Point)
            {
                if (await ReadHighestAsync(revisions, onDamaged, cancel) is { } manifest)
                {
                    yield return manifest;
                }

                revisions.Clear();
            }

            revisions.Add(key);
        }

        if (revisions.Count > 0 && await ReadHighestAsync(revisions, onDamaged, cancel) is { } final)
        {
            yield return final;
        }
    }

    /// <summary>The points of a disk, oldest first.</summary>
    public async Task<IReadOnlyList<Manifest>> ReadDiskAsync(string disk, Action<RbdBackupException>? onDamaged, CancellationToken cancel)
    {
        var points = new List<Manifest>();
        await foreach (var manifest in ReadAllAsync(Keys.DiskPrefix(disk), onDamaged, cancel))
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
    /// <exception cref="RbdBackupException">Corrupt: a point of the chain is missing.</exception>
    public async Task<IReadOnlyList<Manifest>> ReadChainAsync(Manifest point, CancellationToken cancel)
    {
        var chain = new List<Manifest> { point };
        var disks = new Dictionary<string, IReadOnlyList<Manifest>>();
        while (chain[^1].Needs is { } wanted)
        {
            if (!disks.TryGetValue(wanted.Disk, out var disk))
            {
                disks[wanted.Disk] = disk = await ReadDiskAsync(wanted.Disk, null, cancel);
            }

            // A chain that leads into itself would never end.
            var found = chain.Count <= disks.Values.Sum(d => d.Count) + 1 ? disk.FirstOrDefault(m => m.Point == wanted.Point) : null;
            if (found is null && await FindNewestAsync(chain[^1], cancel) is { } newer && newer.Revision > chain[^1].Revision)
            {
                // Its base was pruned meanwhile, after it had been made independent.
                chain[^1] = newer;
                continue;
            }

            chain.Add(found ?? throw new RbdBackupException(
                ErrorKind.Corrupt, $"point {point.Point} of {point.Disk.Spec} stands on point {wanted.Point}, which is missing or damaged",
                "'rbdbackup list' shows other points; make a new full backup with 'backup --full'."));
        }

        chain.Reverse();
        return chain;
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

    /// <summary>The directory of a point's own index.</summary>
    public async Task<IndexDirectory> ReadIndexAsync(Manifest manifest, CancellationToken cancel)
    {
        var (directory, _) = await TailDirectory.ReadAsync(
            Store, manifest.Index.Key, manifest.Index.Length, RepositoryJson.Default.IndexDirectory, cancel);
        RequireIndex(manifest, directory.Format, directory.Point, directory.Pages);
        return directory;
    }

    /// <summary>The directory of a merged index.</summary>
    public async Task<MergedDirectory> ReadMergedIndexAsync(Manifest manifest, CancellationToken cancel)
    {
        var (directory, _) = await TailDirectory.ReadAsync(
            Store, manifest.Index.Key, manifest.Index.Length, RepositoryJson.Default.MergedDirectory, cancel);
        RequireIndex(manifest, directory.Format, directory.Point, directory.Pages);
        return directory.LeafBytes is > 0 and <= long.MaxValue / 4 && directory.Objects.All(o => Keys.PointOfData(o.Key) is not null)
            ? directory
            : throw RepositoryFormat.Corrupt(manifest.Index.Key, "has a root that makes no sense");
    }

    /// <summary>A point's index, to be read from the image's start.</summary>
    internal async Task<IIndexCursor> OpenIndexAsync(Manifest manifest, CancellationToken cancel) =>
        manifest.HasMergedIndex
            ? new MergedCursor(this, manifest.Index.Key, await ReadMergedIndexAsync(manifest, cancel))
            : new IndexCursor(this, manifest.Index.Key, await ReadIndexAsync(manifest, cancel));

    private static void RequireIndex(Manifest manifest, int format, PointId point, IReadOnlyList<Page> pages)
    {
        RepositoryFormat.Require(format, [], manifest.Index.Key);
        if (point != manifest.Point)
        {
            throw RepositoryFormat.Corrupt(manifest.Index.Key, "is the index of another point");
        }

        if (pages.Any(p => p.Start < 0 || p.End <= p.Start) || pages.Zip(pages.Skip(1)).Any(p => p.First.End > p.Second.Start))
        {
            throw RepositoryFormat.Corrupt(manifest.Index.Key, "has pages that do not ascend");
        }
    }

    /// <summary>The digest of references as they are stored.</summary>
    internal static string DigestOf(ReferenceList references) =>
        Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(references, RepositoryJson.Default.ReferenceList)));

    /// <summary>Stores a point's references.</summary>
    public Task<ObjectReference> PutReferencesAsync(string key, ReferenceList references, CancellationToken cancel) =>
        PutAsync(key, new ReadOnlySequence<byte>(JsonSerializer.SerializeToUtf8Bytes(references, RepositoryJson.Default.ReferenceList)), cancel);

    /// <summary>The references that a manifest names.</summary>
    public async Task<ReferenceList> ReadReferencesAsync(Manifest manifest, CancellationToken cancel)
    {
        var json = await Store.GetAsync(manifest.References.Key, RepositoryFormat.MaxJson, cancel);
        if (Convert.ToHexStringLower(SHA256.HashData(json)) != manifest.References.Sha256)
        {
            throw RepositoryFormat.Corrupt(manifest.References.Key, "does not match the digest in its manifest");
        }

        return RepositoryFormat.ReadJson(json, RepositoryJson.Default.ReferenceList, manifest.References.Key);
    }

    /// <summary>The jobs that ended and are still kept, oldest first.</summary>
    public async Task<IReadOnlyList<JobRecord>> ReadFinishedJobsAsync(CancellationToken cancel)
    {
        var jobs = new List<JobRecord>();
        await foreach (var stored in Store.ListAsync(Keys.JobsPrefix, cancel))
        {
            jobs.AddRange(JobRecord.TryRead(await Store.GetAsync(stored.Key, RepositoryFormat.MaxJson, cancel)) is { } job ? [job] : []);
        }

        return jobs;
    }

    /// <summary>The time by this repository's clock.</summary>
    public DateTimeOffset Now => _time.GetUtcNow();

    private static async Task<RepositoryHeader?> ReadHeaderAsync(IObjectStore store, CancellationToken cancel)
    {
        await foreach (var stored in store.ListAsync(Keys.HeaderPrefix, cancel))
        {
            var json = await store.GetAsync(stored.Key, RepositoryFormat.MaxJson, cancel);
            var header = RepositoryFormat.ReadJson(json, RepositoryJson.Default.RepositoryHeader, stored.Key);
            RepositoryFormat.Require(header.Format, header.RequiredFeatures, stored.Key);
            return header;
        }

        return null;
    }

    private async Task<Manifest?> ReadHighestAsync(List<ManifestKey> revisions, Action<RbdBackupException>? onDamaged, CancellationToken cancel)
    {
        foreach (var key in revisions.OrderByDescending(r => r.Revision))
        {
            try
            {
                return ManifestCodec.Read(await Store.GetAsync(key.Key, RepositoryFormat.MaxJson, cancel), key.Key);
            }
            catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
            {
                onDamaged?.Invoke(e);
            }
        }

        return null;
    }
}
