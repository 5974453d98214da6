namespace RbdBackup.Ceph.Native;

/// <summary>The errno values of Linux that librados and librbd return negated, under their own names.</summary>
internal static class Errno
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EIO = 5;
    public const int EAGAIN = 11;
    public const int EACCES = 13;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int EINVAL = 22;
    public const int ENOSPC = 28;
    public const int EROFS = 30;
    public const int ERANGE = 34;
    public const int ENOSYS = 38;
    public const int ENOTEMPTY = 39;
    public const int EOPNOTSUPP = 95;
    public const int ENOTCONN = 107;

    /// <summary>What a client gets that was put on the cluster's blocklist.</summary>
    public const int ESHUTDOWN = 108;
    public const int ETIMEDOUT = 110;
    public const int EDQUOT = 122;
    public const int ECANCELED = 125;
}
