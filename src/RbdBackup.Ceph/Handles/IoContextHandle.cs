using RbdBackup.Ceph.Native;

namespace RbdBackup.Ceph.Handles;

/// <summary>A <c>rados_ioctx_t</c>: one namespace of one pool.</summary>
internal sealed class IoContextHandle(ClusterHandle cluster, string pool, string @namespace)
    : OwnedHandle(cluster, () => Create(cluster, pool, @namespace))
{
    /// <inheritdoc/>
    protected override void Close(nint raw) => Rados.rados_ioctx_destroy(raw);

    private static nint Create(ClusterHandle cluster, string pool, string @namespace)
    {
        ThrowHelper.Check(Rados.rados_ioctx_create(cluster, pool, out var raw), "rados_ioctx_create", $"pool {pool}");
        Rados.rados_ioctx_set_namespace(raw, @namespace);
        return raw;
    }
}
