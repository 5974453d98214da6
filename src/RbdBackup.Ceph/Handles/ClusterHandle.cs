using RbdBackup.Ceph.Native;

namespace RbdBackup.Ceph.Handles;

/// <summary>A <c>rados_t</c>: the connection to a cluster.</summary>
internal sealed class ClusterHandle(string clusterName, string user) : OwnedHandle(null, () => Create(clusterName, user))
{
    /// <inheritdoc/>
    protected override void Close(nint raw) => Rados.rados_shutdown(raw);

    private static nint Create(string clusterName, string user)
    {
        ThrowHelper.Check(Rados.rados_create2(out var raw, clusterName, user, 0), "rados_create2", user);
        return raw;
    }
}
