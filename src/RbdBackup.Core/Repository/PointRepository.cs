using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Sealing;

namespace RbdBackup.Core.Repository;

/// <summary>A repository in a store: its header, its manifests, and the objects that they name.</summary>
public sealed partial class PointRepository : IAsyncDisposable
{
    /// <summary>How many small objects are read at a time, where many are.</summary>
    internal const int ReadsInFlight = 16;

    private const int SmallIndex = 64 << 10;

    private readonly TimeProvider _time;

    private PointRepository(IObjectStore store, RepositorySeal? seal, IFrameCodec codec, RepositoryHeader header, TimeProvider time) =>
        (Store, Seal, Codec, Header, _time) = (seal is null ? store : new SealedStore(store, seal), seal, codec, header, time);

    /// <summary>Where everything is; of a sealed repository, as it is when it is opened.</summary>
    public IObjectStore Store { get; }

    /// <summary>What seals and opens it; null where it is not sealed.</summary>
    internal RepositorySeal? Seal { get; }

    /// <summary>How new frames are compressed; it reads all others too.</summary>
    public IFrameCodec Codec { get; }

    /// <summary>The repository's head.</summary>
    public RepositoryHeader Header { get; }

    /// <summary>Opens the repository in a store that is not sealed; <paramref name="create"/> makes an empty one where there is none.</summary>
    /// <exception cref="RbdBackupException">NotFound: no bucket, no folder or no repository in it; Unsupported: a newer one; Permission: a sealed one.</exception>
    public static Task<PointRepository> OpenAsync(IObjectStore store, IFrameCodec codec, TimeProvider time, bool create, CancellationToken cancel) =>
        OpenAsync(store, codec, time, null, create, cancel);

    /// <summary>Opens the repository in a store; <paramref name="create"/> makes an empty one where there is none.</summary>
    /// <param name="store">The store.</param>
    /// <param name="codec">How new frames are compressed.</param>
    /// <param name="time">The clock.</param>
    /// <param name="secret">What opens it, or shall seal a new one; null: it is not sealed.</param>
    /// <param name="create">True: makes an empty one where there is none.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException">
    /// NotFound: no bucket, no folder or no repository in it; Unsupported: a newer one; Permission: it is sealed and the secret does not open it, or there is
    /// none; Refused: there is a secret, and it is not sealed.
    /// </exception>
    public static async Task<PointRepository> OpenAsync(
        IObjectStore store, IFrameCodec codec, TimeProvider time, RepositorySecret? secret, bool create, CancellationToken cancel)
    {
        await store.CheckAsync(cancel);
        var header = await ReadHeaderAsync(store, cancel);
        if (header is null && create)
        {
            // Two that create at once write two headers; both then read the one with the smaller key.
            var made = new RepositoryHeader(RepositoryFormat.Version, secret is null ? [] : [RepositoryFormat.Sealed], Guid.NewGuid(), time.GetUtcNow());
            if (secret is not null)
            {
                await Keyring.CreateAsync(store, made.Id, secret, made.Created, cancel);
                Checkpoints.Pass("repository.key");
            }

            var json = JsonSerializer.SerializeToUtf8Bytes(made, RepositoryJson.Default.RepositoryHeader);
            await store.PutAsync($"{Keys.HeaderPrefix}{made.Id:D}.json", new ReadOnlySequence<byte>(json), cancel);
            header = await ReadHeaderAsync(store, cancel);
        }

        return header is null
            ? throw new RbdBackupException(ErrorKind.NotFound, $"there is no repository in {store.Url}", "The first backup makes one. Check the store's address.")
            : new PointRepository(store, await OpenSealAsync(store, header, secret, cancel), codec, header, time);
    }

    /// <summary>The header is not authenticated: whoever writes to the store can change it. So what counts is whether there is a secret.</summary>
    private static async Task<RepositorySeal?> OpenSealAsync(IObjectStore store, RepositoryHeader header, RepositorySecret? secret, CancellationToken cancel) =>
        (header.RequiredFeatures.Contains(RepositoryFormat.Sealed), secret) switch
        {
            (false, null) => null,
            (true, not null) => new RepositorySeal(await Keyring.OpenAsync(store, header.Id, secret, cancel)),
            (true, null) => throw new RbdBackupException(
                ErrorKind.Permission, $"the repository in {store.Url} is sealed, and no key is configured", "Set [encryption] key_file, key_env or key_command."),
            (false, not null) => throw new RbdBackupException(
                ErrorKind.Refused, $"the repository in {store.Url} is not sealed, although a key is configured ([encryption])",
                "If it should be sealed, somebody changed the store: do not trust it. Else take the key out of [encryption], or use another store."),
        };

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

    /// <summary>Stores a point's manifest: the commit. That of a sealed repository says that it is.</summary>
    public Task CommitAsync(Manifest manifest, CancellationToken cancel)
    {
        var key = Keys.Manifest(manifest.Disk.Key, manifest.Point, manifest.Revision, manifest.Attempt, manifest.Kind, manifest.StoredBytes);
        manifest = Seal is null ? manifest : manifest with { RequiredFeatures = [.. manifest.RequiredFeatures.Union([RepositoryFormat.Sealed])] };
        return Store.PutAsync(key, new ReadOnlySequence<byte>(ManifestCodec.Write(manifest)), cancel);
    }

    /// <summary>Voids a point before it is committed: whatever an attempt that is still running writes, it is no point.</summary>
    public Task AbortAsync(string disk, PointId point, CancellationToken cancel) =>
        Store.PutAsync(Keys.Aborted(disk, point), new ReadOnlySequence<byte>("aborted\n"u8.ToArray()), cancel);

    /// <summary>The directory of a point's own index.</summary>
    public Task<IndexDirectory> ReadIndexAsync(Manifest manifest, CancellationToken cancel) => ReadIndexAsync(Store, manifest, cancel);

    /// <summary>The directory of a merged index.</summary>
    public Task<MergedDirectory> ReadMergedIndexAsync(Manifest manifest, CancellationToken cancel) => ReadMergedIndexAsync(Store, manifest, cancel);

    /// <summary>A point's index, to be read from the image's start. A small one is fetched whole, with one request.</summary>
    internal async Task<IIndexCursor> OpenIndexAsync(Manifest manifest, CancellationToken cancel)
    {
        var (key, length) = (manifest.Index.Key, manifest.Index.Length);
        var store = length <= SmallIndex ? new HeldObject(Store, key, await Store.GetAsync(key, SmallIndex, cancel)) : Store;
        return manifest.HasMergedIndex
            ? new MergedCursor(store, Codec, key, await ReadMergedIndexAsync(store, manifest, cancel))
            : new IndexCursor(store, Codec, key, await ReadIndexAsync(store, manifest, cancel));
    }

    private static async Task<IndexDirectory> ReadIndexAsync(IObjectStore store, Manifest manifest, CancellationToken cancel)
    {
        var (directory, _) = await TailDirectory.ReadAsync(
            store, manifest.Index.Key, manifest.Index.Length, RepositoryJson.Default.IndexDirectory, cancel);
        RequireIndex(manifest, directory.Format, directory.Point, directory.Pages);
        return directory;
    }

    private static async Task<MergedDirectory> ReadMergedIndexAsync(IObjectStore store, Manifest manifest, CancellationToken cancel)
    {
        var (directory, _) = await TailDirectory.ReadAsync(
            store, manifest.Index.Key, manifest.Index.Length, RepositoryJson.Default.MergedDirectory, cancel);
        RequireIndex(manifest, directory.Format, directory.Point, directory.Pages);
        return directory.LeafBytes is >= 4096 and <= long.MaxValue / 4 && directory.Objects.All(o => Keys.PointOfData(o.Key) is not null)
            ? directory
            : throw RepositoryFormat.Corrupt(manifest.Index.Key, "has a root that makes no sense");
    }

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
            jobs.AddRange(await TryReadJobAsync(stored.Key, cancel) is { } job ? [job] : []);
        }

        return jobs;
    }

    private async Task<JobRecord?> TryReadJobAsync(string key, CancellationToken cancel)
    {
        try
        {
            return JobRecord.TryRead(await Store.GetAsync(key, RepositoryFormat.MaxJson, cancel));
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
        {
            return null;
        }
    }

    /// <summary>The time by this repository's clock.</summary>
    public DateTimeOffset Now => _time.GetUtcNow();

    /// <summary>The header that counts in a store; null where there is none.</summary>
    internal static async Task<RepositoryHeader?> ReadHeaderAsync(IObjectStore store, CancellationToken cancel)
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
}
