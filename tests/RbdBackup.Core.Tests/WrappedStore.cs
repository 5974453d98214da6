using System.Buffers;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Tests;

/// <summary>A store whose calls a test can look at, damage, or let die.</summary>
internal sealed class WrappedStore(IObjectStore inner) : IObjectStore
{
    /// <summary>Called with a key before it is stored or deleted; what it throws is what the caller gets.</summary>
    public Action<string> OnChange { get; set; } = _ => { };

    /// <summary>Called with a key, an offset and the bytes that were read from there.</summary>
    public Action<string, long, Memory<byte>> OnRead { get; set; } = (_, _, _) => { };

    /// <summary>The keys that listings lack.</summary>
    public Predicate<string> Hidden { get; set; } = _ => false;

    public string Url => inner.Url;

    /// <summary>How many calls there were; a listing is one.</summary>
    public int Requests => _requests;

    private int _requests;

    /// <summary>Dies, as a killed process does, at the n-th change from now on; no further change happens.</summary>
    public void DieAt(int n)
    {
        var left = n;
        OnChange = _ =>
        {
            if (--left <= 0)
            {
                throw new KilledException();
            }
        };
    }

    /// <summary>Changes one bit of an object wherever it is read.</summary>
    public void Flip(string key, long at, int bit) => OnRead = (read, offset, bytes) =>
    {
        if (read == key && at >= offset && at < offset + bytes.Length)
        {
            bytes.Span[(int)(at - offset)] ^= (byte)(1 << bit);
        }
    };

    public Task CheckAsync(CancellationToken cancel) => inner.CheckAsync(cancel);

    public Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        Interlocked.Increment(ref _requests);
        OnChange(key);
        return inner.PutAsync(key, content, cancel);
    }

    public async Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel)
    {
        Interlocked.Increment(ref _requests);
        var bytes = await inner.GetAsync(key, maxLength, cancel);
        OnRead(key, 0, bytes);
        return bytes;
    }

    public async Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        Interlocked.Increment(ref _requests);
        await inner.GetRangeAsync(key, offset, destination, cancel);
        OnRead(key, offset, destination);
    }

    public Task<StoredObject?> StatAsync(string key, CancellationToken cancel)
    {
        Interlocked.Increment(ref _requests);
        return inner.StatAsync(key, cancel);
    }

    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancel)
    {
        Interlocked.Increment(ref _requests);
        return inner.ListAsync(prefix, cancel).Where(o => !Hidden(o.Key));
    }

    public Task DeleteAsync(string key, CancellationToken cancel)
    {
        Interlocked.Increment(ref _requests);
        OnChange(key);
        return inner.DeleteAsync(key, cancel);
    }

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}

/// <summary>The process died here.</summary>
internal sealed class KilledException : Exception;
