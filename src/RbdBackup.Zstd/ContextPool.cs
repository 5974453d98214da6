using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace RbdBackup.Zstd;

/// <summary>Contexts of libzstd, which are dear to make and serve one call at a time. It keeps as many as were ever used at once.</summary>
/// <param name="create">Makes a context.</param>
internal sealed class ContextPool<T>(Func<T> create) : IDisposable
    where T : SafeHandle
{
    private readonly ConcurrentBag<T> _idle = [];
    private volatile bool _disposed;

    /// <summary>A context for one call, to be given back.</summary>
    public T Rent()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _idle.TryTake(out var context) ? context : create();
    }

    /// <summary>Takes back what <see cref="Rent"/> gave.</summary>
    public void Return(T context)
    {
        _idle.Add(context);
        if (_disposed)
        {
            Dispose();
        }
    }

    /// <summary>Frees the contexts; those in use are freed when they come back.</summary>
    public void Dispose()
    {
        _disposed = true;
        while (_idle.TryTake(out var context))
        {
            context.Dispose();
        }
    }
}
