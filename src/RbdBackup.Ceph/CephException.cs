using RbdBackup.Core.Model;

namespace RbdBackup.Ceph;

/// <summary>A call of librados or librbd that failed.</summary>
public sealed class CephException : RbdBackupException
{
    internal CephException(ErrorKind kind, string call, string subject, int errno, string message, string? remedy)
        : base(kind, message, remedy)
    {
        Call = call;
        Subject = subject;
        Errno = errno;
    }

    /// <summary>The C function that failed: <c>rbd_snap_create</c>.</summary>
    public string Call { get; }

    /// <summary>What it failed on: an image, a pool, an object, the user.</summary>
    public string Subject { get; }

    /// <summary>The errno that it returned, positive; ETIMEDOUT (110) where our own deadline passed.</summary>
    public int Errno { get; }
}
