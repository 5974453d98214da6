using System.Buffers;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Ports;

/// <summary>An object that a store holds.</summary>
/// <param name="Key">Its key below the store's prefix, with '/' between parts.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Modified">When the store took it, by the store's clock.</param>
public sealed record StoredObject(string Key, long Length, DateTimeOffset Modified);

/// <summary>
/// Object storage as the repository needs it: whole objects under keys of <c>[A-Za-z0-9._~%-]</c> and '/', each written once.
/// All members may be called at the same time. Errors are <see cref="RbdBackupException"/>: <see cref="ErrorKind.NotFound"/> (object, bucket or
/// folder), <see cref="ErrorKind.Permission"/>, <see cref="ErrorKind.NoSpace"/>, <see cref="ErrorKind.Unavailable"/> after the store's own retries.
/// </summary>
public interface IObjectStore : IAsyncDisposable
{
    /// <summary>The store's address for people and logs, without secrets.</summary>
    string Url { get; }

    /// <summary>Fails with a clear error where the bucket or folder does not exist or can't be used.</summary>
    Task CheckAsync(CancellationToken cancel);

    /// <summary>Stores an object, durably, whole or not at all: when this returns it can be read and listed, and a crash loses nothing. Callers use a key once.</summary>
    Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel);

    /// <summary>A whole small object.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/>; <see cref="ErrorKind.Corrupt"/> where it is longer than <paramref name="maxLength"/> bytes.</exception>
    Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel);

    /// <summary>Fills <paramref name="destination"/> from byte <paramref name="offset"/> on.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/>; <see cref="ErrorKind.Corrupt"/> where the object ends before.</exception>
    Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel);

    /// <summary>What the store knows of an object; null where there is none.</summary>
    Task<StoredObject?> StatAsync(string key, CancellationToken cancel);

    /// <summary>All objects whose key starts with <paramref name="prefix"/>, by key in ordinal order.</summary>
    IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancel);

    /// <summary>Removes an object; one that is not there is no error.</summary>
    Task DeleteAsync(string key, CancellationToken cancel);
}
