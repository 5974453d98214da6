using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using RbdBackup.Core.Model;
using static RbdBackup.Ceph.Native.Errno;

namespace RbdBackup.Ceph;

/// <summary>The one place that turns a negated errno into an exception.</summary>
internal static class ThrowHelper
{
    private const string LockOwnerRemedy =
        "The owner of its exclusive lock may be stalled (a hypervisor that hangs); its lock was left alone. " +
        "Try again later, and look after that client: 'rbd status' and 'rbd lock ls' name it.";

    /// <summary>Returns a result that is no error.</summary>
    /// <exception cref="CephException">The result is a negated errno.</exception>
    public static int Check(int result, string call, string subject) => (int)Check((long)result, call, subject);

    /// <inheritdoc cref="Check(int, string, string)"/>
    public static long Check(long result, string call, string subject)
    {
        if (result < 0)
        {
            Throw(call, subject, (int)-result);
        }

        return result;
    }

    /// <summary>Our own deadline passed; the native call goes on in the background.</summary>
    public static CephException DeadlinePassed(string call, string subject, TimeSpan deadline) =>
        new(
            ErrorKind.Unavailable, call, subject, ETIMEDOUT,
            $"{call} on {subject} did not answer within {deadline.TotalSeconds:0.#} s", LockOwnerRemedy);

    [DoesNotReturn]
    private static void Throw(string call, string subject, int errno) =>
        throw new CephException(
            KindOf(call, errno), call, subject, errno,
            $"{call} on {subject} failed: {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})", RemedyOf(call, errno));

    private static ErrorKind KindOf(string call, int errno) => errno switch
    {
        ENOENT => ErrorKind.NotFound,
        EPERM or EACCES => ErrorKind.Permission,
        EBUSY => ErrorKind.Busy,
        EEXIST or ENOTEMPTY => ErrorKind.Refused,
        ENOSPC or EDQUOT => ErrorKind.NoSpace,
        ENOSYS or EOPNOTSUPP => ErrorKind.Unsupported,
        EAGAIN or ENOTCONN or ESHUTDOWN or ETIMEDOUT => ErrorKind.Unavailable,

        // Who holds the managed lock lets nobody else write; a lock owner that does not answer a request ends the same way.
        EROFS when call is "rbd_lock_acquire" => ErrorKind.Busy,
        EROFS => ErrorKind.Unavailable,
        _ => ErrorKind.Unexpected,
    };

    private static string? RemedyOf(string call, int errno) => (call, errno) switch
    {
        ("rados_connect", ENOENT) => "Its keyring was not found: look at 'keyring' in ceph.conf, and at the name of the user.",
        ("rados_conf_read_file", _) => "Name the cluster's ceph.conf in the configuration.",
        ("rbd_lock_acquire", EROFS) => "Another client holds its managed lock; stop that client first ('rbd lock ls' names it).",
        ("rbd_lock_acquire", EINVAL) => "An image without the feature exclusive-lock can't be locked: 'rbd feature enable' adds it.",
        (_, EROFS) => LockOwnerRemedy,
        (_, EPERM or EACCES) => "Compare the user's capabilities ('ceph auth get') with those that the documentation asks for.",
        (_, ENOTEMPTY) => "It still has snapshots.",
        (_, ESHUTDOWN) => "This client was put on the cluster's blocklist; start the process again.",
        (_, EAGAIN or ENOTCONN or ETIMEDOUT) => "The cluster did not answer in time; look at 'ceph status' and try again.",
        (_, ENOSPC or EDQUOT) => "Make room in the pool, or raise its quota.",
        _ => null,
    };
}
