using System.Buffers;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Sealing;

/// <summary>A slot, and the object that it is in.</summary>
internal sealed record StoredSlot(string Key, KeySlot Slot);

/// <summary>
/// The master keys of a sealed repository: the newest from the slot that the secret opens, those of the generations before it from the one above each.
/// When an object names a generation that is not known, the slots are read again: a rotation may have made it meanwhile.
/// </summary>
internal sealed class Keyring
{
    // How long a generation that was not there counts as missing: an object that was put there must not have the slots read for each read of it.
    private const long MissingMilliseconds = 60_000;

    private readonly ConcurrentDictionary<int, byte[]> _masters = [];
    private readonly ConcurrentDictionary<int, long> _missing = [];
    private volatile KeySlot? _opened;

    private Keyring(IObjectStore store, Guid repository, RepositorySecret secret) => (Store, Repository, Secret) = (store, repository, secret);

    /// <summary>The store as it is, without seals.</summary>
    public IObjectStore Store { get; }

    /// <summary>The repository's id.</summary>
    public Guid Repository { get; }

    /// <summary>What opens it.</summary>
    public RepositorySecret Secret { get; }

    /// <summary>The slot that the secret opened.</summary>
    public KeySlot Opened => _opened!;

    /// <summary>The newest master key and its generation.</summary>
    public (int Generation, byte[] Master) Current
    {
        get
        {
            var newest = Opened.Generation;
            return (newest, _masters[newest]);
        }
    }

    /// <summary>Opens the keys of a repository.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Permission"/>: no slot opens; the same error, whatever was wrong.</exception>
    public static async Task<Keyring> OpenAsync(IObjectStore store, Guid repository, RepositorySecret secret, CancellationToken cancel)
    {
        var keyring = new Keyring(store, repository, secret);
        await keyring.LoadAsync(cancel);
        return keyring;
    }

    /// <summary>Makes the first slot of a new repository, with a new master key. It is stored before the repository's header.</summary>
    public static Task CreateAsync(IObjectStore store, Guid repository, RepositorySecret secret, DateTimeOffset now, CancellationToken cancel) =>
        PutSlotAsync(store, KeySlot.Make(repository, NewSlotId(), "first", 1, Aead.NewKey(), secret, now), cancel);

    /// <summary>A slot's id that is not in use, in all likelihood.</summary>
    public static string NewSlotId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));

    /// <summary>Stores a slot; its object's key.</summary>
    public static async Task<string> PutSlotAsync(IObjectStore store, KeySlot slot, CancellationToken cancel)
    {
        var key = Keys.KeySlot(slot.Slot, AttemptId.New());
        await store.PutAsync(key, new ReadOnlySequence<byte>(JsonSerializer.SerializeToUtf8Bytes(slot, KeysJson.Default.KeySlot)), cancel);
        return key;
    }

    /// <summary>The same keys, to look at another store of the repository with.</summary>
    public Keyring In(IObjectStore other)
    {
        var keyring = new Keyring(other, Repository, Secret) { _opened = _opened };
        foreach (var (generation, master) in _masters)
        {
            keyring._masters[generation] = master;
        }

        return keyring;
    }

    /// <summary>A slot for the secret that opened this keyring, with another master key.</summary>
    public KeySlot Remake(string id, string label, int generation, byte[] master, DateTimeOffset now) =>
        KeySlot.Make(Repository, id, label, generation, master, Secret, now);

    /// <summary>The repository's slots, by their keys. What can't be read, or is another repository's, is passed over.</summary>
    public async Task<IReadOnlyList<StoredSlot>> ReadSlotsAsync(CancellationToken cancel)
    {
        var slots = new List<StoredSlot>();
        await foreach (var stored in Store.ListAsync(Keys.KeysPrefix, cancel))
        {
            if (Keys.IsKeySlot(stored.Key) && await TryReadAsync(stored.Key, KeysJson.Default.KeySlot, cancel) is { } slot && slot.Repository == Repository)
            {
                slots.Add(new StoredSlot(stored.Key, slot));
            }
        }

        return slots;
    }

    /// <summary>A generation's master key; null where there is none.</summary>
    public async ValueTask<byte[]?> FindAsync(int generation, CancellationToken cancel)
    {
        if (_masters.TryGetValue(generation, out var known))
        {
            return known;
        }

        if (generation <= Opened.Generation || (_missing.TryGetValue(generation, out var since) && Environment.TickCount64 - since < MissingMilliseconds))
        {
            return null;
        }

        await LoadAsync(cancel);
        _missing[generation] = Environment.TickCount64;
        return _masters.GetValueOrDefault(generation);
    }

    /// <summary>Reads slots and older keys afresh.</summary>
    public async Task LoadAsync(CancellationToken cancel)
    {
        var (slot, master) = await OpenNewestAsync(cancel);
        _masters[slot.Generation] = master;
        for (var below = slot.Generation - 1; below > 0 && !_masters.ContainsKey(below) && await ReadOlderAsync(below, cancel) is { } older; below--)
        {
            _masters[below] = older;
        }

        lock (_masters)
        {
            _opened = _opened is { } opened && opened.Generation > slot.Generation ? opened : slot;
        }
    }

    private async Task<(KeySlot Slot, byte[] Master)> OpenNewestAsync(CancellationToken cancel)
    {
        foreach (var (_, slot) in (await ReadSlotsAsync(cancel)).OrderByDescending(s => s.Slot.Generation))
        {
            if (slot.TryOpen(Secret) is { } master)
            {
                return (slot, master);
            }
        }

        throw new RbdBackupException(
            ErrorKind.Permission, $"the key does not open the repository in {Store.Url}",
            "Check what [encryption] key_file, key_env or key_command gives, and that the store's folder keys/ is whole.");
    }

    /// <summary>The objects of an older master key that the one above does not open; none where no one opens, which is damage.</summary>
    public async Task<IReadOnlyList<string>> FindUselessAsync(int generation, CancellationToken cancel)
    {
        var older = await ReadOldersAsync(generation, cancel);
        return older.Any(o => o.Master is not null) ? [.. older.Where(o => o.Master is null).Select(o => o.Key)] : [];
    }

    /// <summary>The objects of an older master key that the one above opens.</summary>
    public async Task<IReadOnlyList<string>> FindOlderAsync(int generation, CancellationToken cancel) =>
        [.. (await ReadOldersAsync(generation, cancel)).Where(o => o.Master is not null).Select(o => o.Key)];

    private async Task<byte[]?> ReadOlderAsync(int generation, CancellationToken cancel) =>
        (await ReadOldersAsync(generation, cancel)).Select(o => o.Master).OfType<byte[]>().FirstOrDefault();

    private async Task<List<(string Key, byte[]? Master)>> ReadOldersAsync(int generation, CancellationToken cancel)
    {
        var found = new List<(string Key, byte[]? Master)>();
        await foreach (var stored in Store.ListAsync(Keys.OlderMasters(generation), cancel))
        {
            var older = await TryReadAsync(stored.Key, KeysJson.Default.OlderMaster, cancel);
            var opens = older is not null && older.Repository == Repository && older.Generation == generation && _masters.ContainsKey(generation + 1);
            found.Add((stored.Key, opens ? older!.TryOpen(_masters[generation + 1]) : null));
        }

        return found;
    }

    private async Task<T?> TryReadAsync<T>(string key, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, CancellationToken cancel)
        where T : class
    {
        try
        {
            return RepositoryFormat.ReadJson(await Store.GetAsync(key, RepositoryFormat.MaxJson, cancel), type, key);
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
        {
            return null;
        }
    }
}
