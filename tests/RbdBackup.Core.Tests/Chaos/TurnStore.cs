using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Tests.Chaos;

/// <summary>A store in which each call waits for the caller's turn; changes wait twice: a caller may die before, or right after.</summary>
internal sealed class TurnStore(IObjectStore inner, Turns turns, ManualTime time, Action<string> log) : IObjectStore
{
    private readonly ConcurrentDictionary<string, DateTimeOffset> _modified = new();

    // A listing that takes several requests: what changes meanwhile is in it or not.
    private const int ListedAtOnce = 10;

    public string Url => inner.Url;

    public Task CheckAsync(CancellationToken cancel) => inner.CheckAsync(cancel);

    public async Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        await turns.TakeAsync();
        await inner.PutAsync(key, content, cancel);
        _modified[key] = time.Now;
        Log("put", key);
        await turns.TakeAsync();
    }

    public async Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel)
    {
        await turns.TakeAsync();
        return await inner.GetAsync(key, maxLength, cancel);
    }

    public async Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        // Between a listing and a manifest nobody is slow for longer than a grace; among data a reader may be.
        await turns.TakeAsync(mayRest: true);
        await inner.GetRangeAsync(key, offset, destination, cancel);
    }

    public async Task<StoredObject?> StatAsync(string key, CancellationToken cancel)
    {
        await turns.TakeAsync();
        return await inner.StatAsync(key, cancel) is { } found ? Timed(found) : null;
    }

    public async IAsyncEnumerable<StoredObject> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        await turns.TakeAsync();
        var listed = 0;
        await foreach (var stored in inner.ListAsync(prefix, cancel))
        {
            yield return Timed(stored);
            if (++listed % ListedAtOnce == 0)
            {
                await turns.TakeAsync();
            }
        }
    }

    public async Task DeleteAsync(string key, CancellationToken cancel)
    {
        await turns.TakeAsync();
        await inner.DeleteAsync(key, cancel);
        Log("delete", key);
        await turns.TakeAsync();
    }

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    /// <summary>The folder's clock is not the world's.</summary>
    private StoredObject Timed(StoredObject stored) => stored with { Modified = _modified.GetValueOrDefault(stored.Key, time.Now) };

    private void Log(string what, string key)
    {
        if (Turns.Current is { } operation)
        {
            log($"    {operation.Name}, turn {operation.Turns}: {what} {key}");
        }
    }
}
