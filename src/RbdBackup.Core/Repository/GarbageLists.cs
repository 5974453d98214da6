using System.Buffers;
using System.Text.Json;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>
/// What collections wrote down: lists of candidates, and announcements of what one is about to delete. Whoever wants to use an object that no manifest refers to takes
/// the lists away, then looks at the announcements; a collection announces, then looks whether its lists are still there: one of the two sees the other.
/// </summary>
internal sealed class GarbageLists
{
    /// <summary>How many keys a list has at most.</summary>
    public const int ListLength = 10_000;

    private readonly PointRepository _repository;
    private readonly TimeSpan _grace;
    private readonly KeySet _ripe = new();
    private readonly KeySet _waiting = new();
    private readonly List<string> _ripeLists = [];
    private readonly List<string> _announced = [];
    private bool _lost;

    private GarbageLists(PointRepository repository, TimeSpan grace) => (_repository, _grace) = (repository, grace);

    /// <summary>Reads the lists that are there.</summary>
    public static async Task<GarbageLists> ReadAsync(PointRepository repository, TimeSpan grace, CancellationToken cancel)
    {
        var lists = new GarbageLists(repository, grace);
        await foreach (var stored in repository.Store.ListAsync(Keys.GarbagePrefix, cancel))
        {
            if (await TryReadCandidatesAsync(repository, stored.Key, cancel) is { } candidates)
            {
                var ripe = lists.IsOver(Keys.TryParseGarbage(stored.Key));
                (ripe ? lists._ripe : lists._waiting).UnionWith(candidates);
                lists._ripeLists.AddRange(ripe ? [stored.Key] : []);
            }
        }

        return lists;
    }

    /// <summary>Says which points a removal is about to void, by the keys of their marks; what it gives is deleted when they are gone.</summary>
    public static async Task<IReadOnlyList<string>> AnnounceRemovalAsync(PointRepository repository, IEnumerable<Manifest> points, CancellationToken cancel)
    {
        var announced = new List<string>();
        foreach (var marks in points.Select(p => Keys.Aborted(p.Disk.Key, p.Point)).Chunk(ListLength))
        {
            announced.Add(Keys.Collecting(repository.Now, AttemptId.New()));
            await PutAsync(repository, announced[^1], marks, cancel);
        }

        return announced;
    }

    /// <summary>What collections and removals that may be at work are about to delete, and the marks of points that are about to be voided.</summary>
    public static async Task<KeySet> ReadAnnouncedAsync(PointRepository repository, CancellationToken cancel)
    {
        var announced = new KeySet();
        await foreach (var stored in repository.Store.ListAsync(Keys.CollectingPrefix, cancel))
        {
            announced.UnionWith(await TryReadAsync(repository, stored.Key, cancel) ?? []);
        }

        return announced;
    }

    /// <summary>True where a key was written down a grace ago. What is in two lists is ripe: the oldest that names it counts, so callers ask this first.</summary>
    public bool IsRipe(string key) => _ripe.Contains(key);

    /// <summary>True where a key was written down since.</summary>
    public bool IsWaiting(string key) => _waiting.Contains(key);

    /// <summary>Says what will be deleted; false where somebody took a list away, so that nothing may be.</summary>
    public async Task<bool> AnnounceAsync(IEnumerable<string> keys, CancellationToken cancel)
    {
        if (_lost)
        {
            return false;
        }

        var announcement = Keys.Collecting(_repository.Now, AttemptId.New());
        await PutAsync(_repository, announcement, [.. keys], cancel);
        _announced.Add(announcement);
        var there = await _repository.Store.ListAsync(Keys.GarbagePrefix, cancel).Select(s => s.Key).ToHashSetAsync(cancellationToken: cancel);
        return !(_lost = !there.IsSupersetOf(_ripeLists));
    }

    /// <summary>Writes new candidates down, and removes what is dealt with. Announcements of collections that died go when none of their time can be at work.</summary>
    public async Task EndAsync(IEnumerable<string> found, CancellationToken cancel)
    {
        foreach (var chunk in found.Chunk(ListLength))
        {
            await PutAsync(_repository, Keys.Garbage(_repository.Now, AttemptId.New()), chunk, cancel);
        }

        Jobs.Checkpoints.Pass("gc.listed");
        var old = _repository.Store.ListAsync(Keys.CollectingPrefix, cancel).Select(s => s.Key).Where(k => IsOver(Keys.TryParseCollecting(k)));
        foreach (var key in (_lost ? [] : _ripeLists).Concat(_announced).Concat(await old.ToListAsync(cancel)))
        {
            await _repository.Store.DeleteAsync(key, cancel);
        }
    }

    private bool IsOver(DateTimeOffset? written) => written is { } at && _repository.Now - at >= _grace;

    private static Task PutAsync(PointRepository repository, string key, string[] keys, CancellationToken cancel)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(new GarbageList(RepositoryFormat.Version, repository.Now, keys), RepositoryJson.Default.GarbageList);
        return repository.Store.PutAsync(key, new ReadOnlySequence<byte>(json), cancel);
    }

    /// <summary>A list's candidates; none where it is damaged: they are written down again, and it goes when its time has come.</summary>
    private static async Task<IReadOnlyList<string>?> TryReadCandidatesAsync(PointRepository repository, string key, CancellationToken cancel)
    {
        try
        {
            return await TryReadAsync(repository, key, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Corrupt)
        {
            return [];
        }
    }

    /// <summary>A list's keys; null where another collection, or a copy, took it away since it was listed.</summary>
    private static async Task<IReadOnlyList<string>?> TryReadAsync(PointRepository repository, string key, CancellationToken cancel)
    {
        try
        {
            var json = await repository.Store.GetAsync(key, RepositoryFormat.MaxJson, cancel);
            return RepositoryFormat.ReadJson(json, RepositoryJson.Default.GarbageList, key).Candidates;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }
}
