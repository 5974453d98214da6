using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;

namespace RbdBackup.Ceph;

/// <summary>One asynchronous operation of librbd. It can't be cancelled: until it ends, librbd uses the caller's buffer.</summary>
internal sealed class AioCompletion : IDisposable
{
    // Continuations must not run on librbd's thread, which calls back: storage work there would wait for itself.
    private readonly TaskCompletionSource<long> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ImageHandle _image;
    private readonly GCHandle _self;
    private readonly nint _raw;

    private unsafe AioCompletion(ImageHandle image)
    {
        var held = false;
        image.DangerousAddRef(ref held);
        _image = image;
        _self = GCHandle.Alloc(this);
        Rbd.rbd_aio_create_completion(GCHandle.ToIntPtr(_self), &OnComplete, out _raw);
    }

    /// <summary>Starts an operation. The image stays open until it has ended.</summary>
    public delegate int Submit(ImageHandle image, nint completion);

    /// <summary>Starts an operation and returns its result when it has ended.</summary>
    /// <exception cref="CephException">It failed.</exception>
    public static async ValueTask<long> RunAsync(NativeCalls calls, ImageHandle image, string call, string subject, Submit submit)
    {
        using var completion = new AioCompletion(image);
        ThrowHelper.Check(submit(image, completion._raw), call, subject);
        return ThrowHelper.Check(await calls.WatchAsync(completion._done.Task, call, subject), call, subject);
    }

    /// <summary>Lets go of everything; the operation has ended, or was never started.</summary>
    public void Dispose()
    {
        Rbd.rbd_aio_release(_raw);
        _self.Free();
        _image.DangerousRelease();
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnComplete(nint completion, nint argument)
    {
        // Nothing in here throws, and the last statement is the last use of the handle.
        var self = (AioCompletion)GCHandle.FromIntPtr(argument).Target!;
        self._done.TrySetResult(Rbd.rbd_aio_get_return_value(completion));
    }
}
