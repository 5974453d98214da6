using System.Buffers;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>A store one of whose objects is in memory: ranges of it cost no request.</summary>
/// <param name="inner">The store.</param>
/// <param name="held">The object's key.</param>
/// <param name="content">All of it.</param>
internal sealed class HeldObject(IObjectStore inner, string held, byte[] content) : IObjectStore
{
    public string Url => inner.Url;

    public Task CheckAsync(CancellationToken cancel) => inner.CheckAsync(cancel);

    public Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel) => inner.PutAsync(key, content, cancel);

    public Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel) => inner.GetAsync(key, maxLength, cancel);

    public Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        if (key != held)
        {
            return inner.GetRangeAsync(key, offset, destination, cancel);
        }

        if (offset < 0 || offset > content.Length - destination.Length)
        {
            throw RepositoryFormat.Corrupt(key, $"ends at byte {content.Length}, before what it should hold");
        }

        content.AsSpan((int)offset, destination.Length).CopyTo(destination.Span);
        return Task.CompletedTask;
    }

    public Task<StoredObject?> StatAsync(string key, CancellationToken cancel) => inner.StatAsync(key, cancel);

    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancel) => inner.ListAsync(prefix, cancel);

    public Task DeleteAsync(string key, CancellationToken cancel) => inner.DeleteAsync(key, cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
