using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;

namespace RbdBackup.Ceph;

/// <content>Differences.</content>
public sealed partial class CephImage
{
    /// <inheritdoc/>
    public Task DiffAsync(
        ulong? fromSnapshotId, long offset, long length, bool includeParent, bool wholeObject, Action<Extent> onExtent,
        CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(onExtent);
        cancel.ThrowIfCancellationRequested();
        var handle = _handle;

        // Without a deadline, and to its end: it only reads, and the callback must not be called after the return.
        return NativeCalls.RunToEndAsync(() => Iterate(handle));

        void Iterate(Handles.ImageHandle image)
        {
            var stat = Stat(image);
            ThrowHelper.Check(Rbd.rbd_get_stripe_count(image, out var stripeCount), "rbd_get_stripe_count", Subject);
            var end = Math.Min(offset + length, (long)stat.size);
            var sink = new DiffSink(offset, end, (long)stat.obj_size * (long)stripeCount, onExtent, cancel);
            if (sink.IsEmpty)
            {
                return;
            }

            var from = fromSnapshotId is { } id ? SnapshotName(image, id, Subject) : null;
            sink.Run((callback, argument) => Call(image, from, sink, includeParent, wholeObject, callback, argument), Subject);
        }
    }

    private static unsafe int Call(
        Handles.ImageHandle image, string? from, DiffSink sink, bool includeParent, bool wholeObject, nint callback, nint argument) =>
        Rbd.rbd_diff_iterate2(
            image, from, (ulong)sink.Start, (ulong)sink.Length, includeParent ? (byte)1 : (byte)0, wholeObject ? (byte)1 : (byte)0,
            (delegate* unmanaged[Cdecl]<ulong, nuint, int, nint, int>)callback, argument);
}
