using RbdBackup.Ceph.Native;

namespace RbdBackup.Ceph.Handles;

/// <summary>A <c>rbd_image_t</c>: an open image.</summary>
internal sealed class ImageHandle : OwnedHandle
{
    private ImageHandle(IoContextHandle ioctx, Func<nint> open)
        : base(ioctx, open)
    {
    }

    /// <summary>Opens the head of the image under a name. Only a writable handle has a watch, and with it hears of snapshots made
    /// elsewhere.</summary>
    public static ImageHandle OpenByName(IoContextHandle ioctx, string name, string subject, bool writable) =>
        new(ioctx, () =>
        {
            var result = writable ? Rbd.rbd_open(ioctx, name, out var raw, null) : Rbd.rbd_open_read_only(ioctx, name, out raw, null);
            ThrowHelper.Check(result, writable ? "rbd_open" : "rbd_open_read_only", subject);
            return raw;
        });

    /// <summary>As <see cref="OpenByName"/>, by the image's id: a name may mean another image a moment later.</summary>
    public static ImageHandle OpenById(IoContextHandle ioctx, string id, string subject, bool writable) =>
        new(ioctx, () =>
        {
            var result = writable
                ? Rbd.rbd_open_by_id(ioctx, id, out var raw, null)
                : Rbd.rbd_open_by_id_read_only(ioctx, id, out raw, null);
            ThrowHelper.Check(result, writable ? "rbd_open_by_id" : "rbd_open_by_id_read_only", subject);
            return raw;
        });

    /// <inheritdoc/>
    protected override void Close(nint raw) => _ = Rbd.rbd_close(raw); // Whatever it says, the handle is gone.
}
