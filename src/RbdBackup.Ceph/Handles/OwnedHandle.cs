using System.Runtime.InteropServices;

namespace RbdBackup.Ceph.Handles;

/// <summary>
/// A native object that keeps the one it was made from alive: an image its io context, an io context its cluster. Whoever calls a function
/// with it holds it too, so that it is closed only after the last call that uses it has ended, whoever disposed it before.
/// </summary>
internal abstract class OwnedHandle : SafeHandle
{
    private readonly SafeHandle? _parent;
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Opens the native object with the parent held; where <paramref name="open"/> throws, the parent is free again.</summary>
    protected OwnedHandle(SafeHandle? parent, Func<nint> open)
        : base(0, ownsHandle: true)
    {
        var held = false;
        parent?.DangerousAddRef(ref held);
        try
        {
            SetHandle(open());
            _parent = parent;
        }
        catch
        {
            if (held)
            {
                parent!.DangerousRelease();
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>
    /// Disposes on a thread of its own, since closing talks to the cluster, and returns when the native object is closed or
    /// <paramref name="patience"/> has passed: a call that still runs in it then closes it at its end.
    /// </summary>
    public async Task CloseAsync(TimeSpan patience, TimeProvider time)
    {
        _ = Task.Factory.StartNew(Dispose, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.WhenAny(_closed.Task, Task.Delay(patience, time));
    }

    /// <summary>Closes the native object.</summary>
    protected abstract void Close(nint raw);

    /// <inheritdoc/>
    protected sealed override bool ReleaseHandle()
    {
        Close(handle);
        _parent?.DangerousRelease();
        _closed.SetResult();
        return true;
    }
}
