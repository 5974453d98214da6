using System.Buffers.Binary;
using System.Text;
using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;

namespace RbdBackup.Ceph;

/// <summary>One exclusive cls_lock lock on one object: who holds it is known by its connection and its cookie.</summary>
internal sealed class ClsLock(string objectName, string cookie, string description, TimeSpan duration, string subject)
{
    /// <summary>The lock's name on its object.</summary>
    public const string Name = "rbdbackup";

    private const byte Exclusive = 1;

    /// <summary>Takes the lock, making the object where it is missing.</summary>
    public void Acquire(IoContextHandle ioctx) => Lock(ioctx, flags: 0);

    /// <summary>Holds it for another duration. With MUST_RENEW a lock that has lapsed is an error (ENOENT, EBUSY), not taken again in
    /// silence.</summary>
    public void Renew(IoContextHandle ioctx) => Lock(ioctx, RadosConstants.LIBRADOS_LOCK_FLAG_MUST_RENEW);

    /// <summary>Gives it back; one that has lapsed is no error.</summary>
    public void Release(IoContextHandle ioctx)
    {
        var result = Rados.rados_unlock(ioctx, objectName, Name, cookie);
        ThrowHelper.Check(result == -Errno.ENOENT ? 0 : result, "rados_unlock", subject);
    }

    /// <summary>Lets an operation happen only while the lock is held; it fails with EBUSY otherwise.</summary>
    public unsafe void Assert(WriteOpHandle operation)
    {
        var input = EncodeAssert();
        fixed (byte* first = input)
        {
            Rados.rados_write_op_exec(operation, "lock", "assert_locked", first, (nuint)input.Length, null);
        }
    }

    /// <summary>The cookies of those that hold the lock of an object: none or one.</summary>
    public static unsafe string? FindCookie(IoContextHandle ioctx, string objectName, string subject)
    {
        var (tagRoom, clientRoom, cookieRoom, addressRoom) = ((nuint)64, (nuint)256, (nuint)1024, (nuint)1024);
        while (true)
        {
            var (tag, clients, cookies, addresses) = (new byte[tagRoom], new byte[clientRoom], new byte[cookieRoom], new byte[addressRoom]);
            nint result;
            fixed (byte* t = tag, c = clients, k = cookies, a = addresses)
            {
                result = Rados.rados_list_lockers(
                    ioctx, objectName, Name, out _, t, ref tagRoom, c, ref clientRoom, k, ref cookieRoom, a, ref addressRoom);
            }

            if (result != -Errno.ERANGE)
            {
                var count = result == -Errno.ENOENT ? 0 : ThrowHelper.Check(result, "rados_list_lockers", subject);
                return count == 0 ? null : NativeList.Split(cookies.AsSpan(0, (int)cookieRoom))[0];
            }
        }
    }

    /// <summary>
    /// <c>cls_lock_assert_op</c> as cls/lock/cls_lock_ops.h encodes it: version 1, compatible with 1, u32 length; then name, type (u8),
    /// cookie and tag, each string with a u32 length before it; little-endian.
    /// </summary>
    internal byte[] EncodeAssert()
    {
        using var body = new MemoryStream();
        WriteText(Name);
        body.WriteByte(Exclusive);
        WriteText(cookie);
        WriteText("");
        Span<byte> header = [1, 1, 0, 0, 0, 0];
        BinaryPrimitives.WriteUInt32LittleEndian(header[2..], (uint)body.Length);
        return [.. header, .. body.ToArray()];

        void WriteText(string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            Span<byte> length = stackalloc byte[sizeof(uint)];
            BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)bytes.Length);
            body.Write(length);
            body.Write(bytes);
        }
    }

    private void Lock(IoContextHandle ioctx, byte flags)
    {
        var span = Timeval.From(duration);
        var result = Rados.rados_lock_exclusive(ioctx, objectName, Name, cookie, description, in span, flags);
        ThrowHelper.Check(result, "rados_lock_exclusive", subject);
    }
}
