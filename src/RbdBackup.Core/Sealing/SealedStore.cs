using System.Buffers;
using System.Collections.Concurrent;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Sealing;

/// <summary>
/// A sealed repository's store as all others see it: what is put is sealed, what is read was opened and proven, lengths are plain ones. So indexes, plans,
/// manifests, lists and whatever comes are sealed without knowing it. Segments go through as they are: their frames are sealed one by one; so do the
/// repository's header, its key slots and the key wraps, which are read before anything can be opened.
/// </summary>
internal sealed class SealedStore(IObjectStore inner, RepositorySeal seal) : IObjectStore
{
    // Objects are written once, so that a length never changes; past this many, they are asked for again.
    private const int KnownLengths = 10_000;

    private readonly ConcurrentDictionary<string, long> _lengths = [];

    public string Url => inner.Url;

    public Task CheckAsync(CancellationToken cancel) => inner.CheckAsync(cancel);

    public async Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        var stored = IsClear(key) ? content : new ReadOnlySequence<byte>(seal.Seal(key, content));
        try
        {
            await inner.PutAsync(key, stored, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Refused && !IsClear(key))
        {
            // No two seals of the same bytes are alike: a store that refuses other bytes holds the same object, where it opens to these.
            switch (await HoldsAsync(key, content, cancel))
            {
                case null:
                    // Removed since; what is there by now is another writer's.
                    await inner.PutAsync(key, stored, cancel);
                    break;
                case false:
                    throw;
            }
        }
    }

    /// <summary>True where an object opens to these bytes, null where it is not there.</summary>
    private async Task<bool?> HoldsAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        try
        {
            return await StatAsync(key, cancel) is not { } there ? null
                : there.Length == content.Length && (await GetAsync(key, (int)content.Length, cancel)).AsSpan().SequenceEqual(content.ToArray());
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }

    public async Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel)
    {
        if (IsClear(key))
        {
            return await inner.GetAsync(key, maxLength, cancel);
        }

        var stored = await inner.GetAsync(key, (int)Math.Min(int.MaxValue, SealedBlocks.StoredLength(maxLength)), cancel);
        return await seal.OpenAsync(key, 0, SealedBlocks.PlainLength(stored.Length) ?? -1, stored, cancel);
    }

    public async Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        if (IsClear(key))
        {
            await inner.GetRangeAsync(key, offset, destination, cancel);
            return;
        }

        var length = await PlainLengthAsync(key, cancel);
        if (offset < 0 || offset + destination.Length > length)
        {
            throw RepositoryFormat.Corrupt(key, $"ends at byte {length}, before what it should hold");
        }

        if (destination.IsEmpty)
        {
            return;
        }

        var first = offset / SealedBlocks.PlainBytes;
        var end = Math.Min(SealedBlocks.StoredLength(length), (((offset + destination.Length - 1) / SealedBlocks.PlainBytes) + 1) * SealedBlocks.StoredBytes);
        var stored = new byte[end - (first * SealedBlocks.StoredBytes)];
        await inner.GetRangeAsync(key, first * SealedBlocks.StoredBytes, stored, cancel);
        var plain = await seal.OpenAsync(key, first, length, stored, cancel);
        plain.AsMemory((int)(offset - (first * SealedBlocks.PlainBytes)), destination.Length).CopyTo(destination);
    }

    public async Task<StoredObject?> StatAsync(string key, CancellationToken cancel) =>
        await inner.StatAsync(key, cancel) is { } stored ? Opened(stored) : null;

    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancel) => inner.ListAsync(prefix, cancel).Select(Opened);

    public Task DeleteAsync(string key, CancellationToken cancel) => inner.DeleteAsync(key, cancel);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private static bool IsClear(string key) =>
        key.StartsWith(Keys.HeaderPrefix, StringComparison.Ordinal) || key.StartsWith(Keys.KeysPrefix, StringComparison.Ordinal)
        || (Keys.PointOfData(key) is not null && (Keys.TryParseSegment(key) is not null || Keys.TryParseWrap(key) is not null));

    // What never was sealed keeps its length: it is listed, and refused when it is read.
    private static StoredObject Opened(StoredObject stored) =>
        IsClear(stored.Key) ? stored : stored with { Length = SealedBlocks.PlainLength(stored.Length) ?? stored.Length };

    private async Task<long> PlainLengthAsync(string key, CancellationToken cancel)
    {
        if (_lengths.TryGetValue(key, out var known))
        {
            return known;
        }

        var stored = await inner.StatAsync(key, cancel) ?? throw new RbdBackupException(ErrorKind.NotFound, $"{key} is not in {Url}");
        if (_lengths.Count >= KnownLengths)
        {
            _lengths.Clear();
        }

        return _lengths[key] = SealedBlocks.PlainLength(stored.Length) ?? throw RepositoryFormat.Corrupt(key, "has a length that no sealed object has");
    }
}
