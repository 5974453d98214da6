using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Tests;

/// <summary>A store's objects as they were when it was read, held in memory: for tests that read them a million times. What is put or deleted is forgotten.</summary>
internal sealed class HeldStore : IObjectStore
{
    private readonly SortedDictionary<string, (StoredObject Object, byte[] Content)> _objects = new(StringComparer.Ordinal);

    private HeldStore()
    {
    }

    public string Url => "held:";

    /// <summary>The objects' keys, and their bytes, which a test may change.</summary>
    public IEnumerable<(string Key, byte[] Content)> Objects => _objects.Select(o => (o.Key, o.Value.Content));

    public static async Task<HeldStore> OfAsync(IObjectStore store)
    {
        var held = new HeldStore();
        await foreach (var stored in store.ListAsync("", CancellationToken.None))
        {
            held._objects[stored.Key] = (stored, await store.GetAsync(stored.Key, 1 << 20, CancellationToken.None));
        }

        return held;
    }

    public Task CheckAsync(CancellationToken cancel) => Task.CompletedTask;

    public Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel) => Task.CompletedTask;

    public Task DeleteAsync(string key, CancellationToken cancel) => Task.CompletedTask;

    public Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel) =>
        Task.FromResult(Find(key) is { } content && content.Length <= maxLength ? content.ToArray() : throw RepositoryFormat.Corrupt(key, $"has more than {maxLength} bytes"));

    public Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        var content = Find(key);
        if (offset < 0 || offset > content.Length - destination.Length)
        {
            throw RepositoryFormat.Corrupt(key, $"ends before byte {offset + destination.Length}");
        }

        content.AsSpan((int)offset, destination.Length).CopyTo(destination.Span);
        return Task.CompletedTask;
    }

    public Task<StoredObject?> StatAsync(string key, CancellationToken cancel) => Task.FromResult(_objects.TryGetValue(key, out var found) ? found.Object : null);

    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancel) =>
        _objects.Where(o => o.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(o => o.Value.Object).ToAsyncEnumerable();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private byte[] Find(string key) => _objects.TryGetValue(key, out var found) ? found.Content : throw new RbdBackupException(ErrorKind.NotFound, $"{key} is not in {Url}");
}
