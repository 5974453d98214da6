using RbdBackup.Ceph.Native;

namespace RbdBackup.Ceph.Handles;

/// <summary>A <c>rados_write_op_t</c>: changes of one object, all of them or none.</summary>
internal sealed class WriteOpHandle() : OwnedHandle(null, Rados.rados_create_write_op)
{
    /// <inheritdoc/>
    protected override void Close(nint raw) => Rados.rados_release_write_op(raw);
}

/// <summary>A <c>rados_read_op_t</c>: reads of one object.</summary>
internal sealed class ReadOpHandle() : OwnedHandle(null, Rados.rados_create_read_op)
{
    /// <inheritdoc/>
    protected override void Close(nint raw) => Rados.rados_release_read_op(raw);
}

/// <summary>A <c>rados_list_ctx_t</c>: where a listing of objects stands.</summary>
internal sealed class ObjectListHandle(IoContextHandle ioctx, string subject) : OwnedHandle(ioctx, () => Create(ioctx, subject))
{
    /// <inheritdoc/>
    protected override void Close(nint raw) => Rados.rados_nobjects_list_close(raw);

    private static nint Create(IoContextHandle ioctx, string subject)
    {
        ThrowHelper.Check(Rados.rados_nobjects_list_open(ioctx, out var raw), "rados_nobjects_list_open", subject);
        return raw;
    }
}

/// <summary>A <c>rbd_image_options_t</c>: what an image is to be made with.</summary>
internal sealed class ImageOptionsHandle() : OwnedHandle(null, Create)
{
    /// <inheritdoc/>
    protected override void Close(nint raw) => Rbd.rbd_image_options_destroy(raw);

    private static nint Create()
    {
        Rbd.rbd_image_options_create(out var raw);
        return raw;
    }
}
