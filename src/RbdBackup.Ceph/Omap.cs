using System.Runtime.InteropServices;
using System.Text;
using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;

namespace RbdBackup.Ceph;

/// <summary>The omap of an object: its records.</summary>
internal static unsafe class Omap
{
    /// <summary>How many records come with one operation; the OSD has a cap of its own, and says whether there are more.</summary>
    private const ulong PageSize = 512;

    /// <summary>All records; empty where the object is missing.</summary>
    public static Dictionary<string, byte[]> Read(IoContextHandle ioctx, string objectName, string subject)
    {
        var records = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var after = "";
        while (ReadPage(ioctx, objectName, subject, ref after, records))
        {
        }

        return records;
    }

    /// <summary>Adds setting records to an operation.</summary>
    public static void Set(WriteOpHandle operation, IReadOnlyDictionary<string, byte[]> records)
    {
        if (records.Count > 0)
        {
            using var keys = new NativeStrings(records.Keys.Select(Encoding.UTF8.GetBytes));
            using var values = new NativeStrings(records.Values);
            Rados.rados_write_op_omap_set2(operation, keys.Pointers, values.Pointers, keys.Lengths, values.Lengths, (nuint)keys.Count);
        }
    }

    /// <summary>Adds removing records to an operation; one that is not there is no error.</summary>
    public static void Remove(WriteOpHandle operation, IReadOnlyCollection<string> records)
    {
        if (records.Count > 0)
        {
            using var keys = new NativeStrings(records.Select(Encoding.UTF8.GetBytes));
            Rados.rados_write_op_omap_rm_keys2(operation, keys.Pointers, keys.Lengths, (nuint)keys.Count);
        }
    }

    private static bool ReadPage(
        IoContextHandle ioctx, string objectName, string subject, ref string after, Dictionary<string, byte[]> records)
    {
        using var operation = new ReadOpHandle();
        nint iterator = 0;
        byte more = 0;
        var result = 0;
        Rados.rados_read_op_omap_get_vals2(operation, after, "", PageSize, &iterator, &more, &result);
        try
        {
            var status = Rados.rados_read_op_operate(operation, ioctx, objectName, 0);
            if (status == -Errno.ENOENT)
            {
                return false;
            }

            ThrowHelper.Check(status, "rados_read_op_operate", subject);
            ThrowHelper.Check(result, "rados_read_op_omap_get_vals2", subject);
            while (Rados.rados_omap_get_next2(iterator, out var key, out var value, out var keyLength, out var valueLength) == 0
                && key != null)
            {
                after = Encoding.UTF8.GetString(key, (int)keyLength);
                records[after] = new ReadOnlySpan<byte>(value, (int)valueLength).ToArray();
            }

            return more != 0;
        }
        finally
        {
            if (iterator != 0)
            {
                Rados.rados_omap_get_end(iterator);
            }
        }
    }

    /// <summary>Byte strings as C takes them: an array of pointers and one of lengths, until disposed.</summary>
    private sealed class NativeStrings : IDisposable
    {
        private readonly GCHandle[] _pins;
        private readonly nint _memory;

        public NativeStrings(IEnumerable<byte[]> strings)
        {
            var all = strings.ToArray();
            Count = all.Length;
            _pins = [.. all.Select(s => GCHandle.Alloc(s, GCHandleType.Pinned))];
            _memory = (nint)NativeMemory.Alloc((nuint)Count * 2, (nuint)sizeof(nuint));
            for (var i = 0; i < Count; i++)
            {
                Pointers[i] = (byte*)_pins[i].AddrOfPinnedObject();
                Lengths[i] = (nuint)all[i].Length;
            }
        }

        public int Count { get; }

        public byte** Pointers => (byte**)_memory;

        public nuint* Lengths => (nuint*)_memory + Count;

        public void Dispose()
        {
            NativeMemory.Free((void*)_memory);
            Array.ForEach(_pins, pin => pin.Free());
        }
    }
}
