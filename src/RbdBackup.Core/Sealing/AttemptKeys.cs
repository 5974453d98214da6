using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Sealing;

/// <summary>
/// The keys of attempts. Each is random, made when the attempt stores its first segment, and stored wrapped before that segment, so that a later attempt can
/// use the segments of one that died. May be used by many at a time.
/// </summary>
internal sealed class AttemptKeys(Keyring keyring)
{
    private readonly ConcurrentDictionary<(PointId, AttemptId), Lazy<Task<byte[]>>> _known = [];

    /// <summary>The key of an attempt of this process; made and stored at the first call.</summary>
    public Task<byte[]> MakeAsync(PointId point, AttemptId attempt, CancellationToken cancel) =>
        OnceAsync(point, attempt, async () =>
        {
            var key = Aead.NewKey();
            await PutAsync(point, attempt, key, cancel);
            return key;
        }, cancel);

    /// <summary>The key of whichever attempt.</summary>
    /// <exception cref="RbdBackupException">NotFound: it has no wrap; Corrupt: none of its wraps opens.</exception>
    public Task<byte[]> GetAsync(PointId point, AttemptId attempt, CancellationToken cancel) =>
        OnceAsync(point, attempt, async () => (await ReadAsync(point, attempt, cancel)).Key, cancel);

    /// <summary>The newest generation for which an attempt's key is wrapped; a wrap that does not open does not count.</summary>
    /// <exception cref="RbdBackupException">As of <see cref="GetAsync"/>.</exception>
    public async Task<int> NewestAsync(PointId point, AttemptId attempt, CancellationToken cancel) => (await ReadAsync(point, attempt, cancel)).Generation;

    /// <summary>Wraps an attempt's key for the newest master key, in an object of its own. The older wraps are garbage then.</summary>
    public async Task RewrapAsync(PointId point, AttemptId attempt, CancellationToken cancel) =>
        await PutAsync(point, attempt, (await ReadAsync(point, attempt, cancel)).Key, cancel);

    /// <summary>
    /// Stores an attempt's key that another store of this repository has: wrapped for this store's newest master key, in an object of its own, so that nothing hangs
    /// on which of the two rotated its master key last.
    /// </summary>
    /// <returns>The object's bytes.</returns>
    /// <exception cref="RbdBackupException">As of <see cref="GetAsync"/>, about the other store.</exception>
    public async Task<int> AdoptAsync(PointId point, AttemptId attempt, AttemptKeys from, CancellationToken cancel) =>
        await PutAsync(point, attempt, await from.GetAsync(point, attempt, cancel), cancel);

    private async Task<byte[]> OnceAsync(PointId point, AttemptId attempt, Func<Task<byte[]>> get, CancellationToken cancel)
    {
        while (true)
        {
            var once = _known.GetOrAdd((point, attempt), _ => new Lazy<Task<byte[]>>(get));
            try
            {
                return await once.Value;
            }
            catch (Exception e)
            {
                // A failure is no answer: the next one asks again, also where only the one who asked first was cancelled.
                _known.TryRemove(new((point, attempt), once));
                if (e is not OperationCanceledException || cancel.IsCancellationRequested)
                {
                    throw;
                }
            }
        }
    }

    private async Task<int> PutAsync(PointId point, AttemptId attempt, byte[] key, CancellationToken cancel)
    {
        var (generation, master) = keyring.Current;
        var wrap = AttemptWrap.Make(keyring.Repository, point, attempt, key, generation, master);
        var json = JsonSerializer.SerializeToUtf8Bytes(wrap, KeysJson.Default.AttemptWrap);
        await keyring.Store.PutAsync(Keys.Wrap(point, attempt, generation, AttemptId.New()), new ReadOnlySequence<byte>(json), cancel);
        return json.Length;
    }

    private async Task<(byte[] Key, int Generation)> ReadAsync(PointId point, AttemptId attempt, CancellationToken cancel)
    {
        var damaged = (string?)null;
        foreach (var stored in (await keyring.Store.ListAsync(Keys.WrapsOf(point, attempt), cancel).ToListAsync(cancel)).OrderByDescending(o => o.Key, StringComparer.Ordinal))
        {
            try
            {
                var wrap = RepositoryFormat.ReadJson(await keyring.Store.GetAsync(stored.Key, RepositoryFormat.MaxJson, cancel), KeysJson.Default.AttemptWrap, stored.Key);
                if (await keyring.FindAsync(wrap.Generation, cancel) is { } master && wrap.TryOpen(keyring.Repository, point, attempt, master) is { } key)
                {
                    return (key, wrap.Generation);
                }

                damaged ??= stored.Key;
            }
            catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
            {
                damaged ??= e.Kind == ErrorKind.Corrupt ? stored.Key : null;
            }
        }

        throw damaged is null
            ? new RbdBackupException(ErrorKind.NotFound, $"{Keys.WrapsOf(point, attempt)}* is missing: without it the segments of that attempt can't be opened")
            : RepositoryFormat.Corrupt(damaged, "does not open: it was changed, moved, or is of another repository");
    }
}
