using System.Runtime.InteropServices;
using System.Text;
using static RbdBackup.Ceph.Native.Errno;

namespace RbdBackup.Ceph;

/// <summary>Calls that fill a buffer of the caller's, and say -ERANGE with the size that they need where it is too small.</summary>
internal static unsafe class NativeList
{
    /// <summary>Fills an array of structs.</summary>
    public delegate int FillItems<T>(T* items, ref nuint count)
        where T : unmanaged;

    /// <summary>Fills a buffer with bytes.</summary>
    public delegate int FillBytes(byte* buffer, ref nuint length);

    /// <summary>Frees what the structs point to.</summary>
    public delegate void FreeItems<T>(T* items, nuint count)
        where T : unmanaged;

    /// <summary>The structs, converted while what they point to is alive, then given to <paramref name="free"/>.</summary>
    public static List<TResult> Items<T, TResult>(
        string call, string subject, FillItems<T> fill, FreeItems<T> free, Func<T, TResult> convert)
        where T : unmanaged
    {
        for (nuint capacity = 64; ;)
        {
            var items = new T[capacity];
            var count = capacity;
            int result;
            fixed (T* first = items)
            {
                result = fill(first, ref count);
            }

            if (result == -ERANGE)
            {
                capacity = Math.Max(count, capacity * 2);
                continue;
            }

            ThrowHelper.Check(result, call, subject);
            try
            {
                return [.. items.Take((int)count).Select(convert)];
            }
            finally
            {
                fixed (T* first = items)
                {
                    free(first, count);
                }
            }
        }
    }

    /// <summary>A short name or id.</summary>
    public static string Name(string call, string subject, FillBytes fill)
    {
        for (nuint capacity = 256; ;)
        {
            var buffer = new byte[capacity];
            var length = capacity;
            int result;
            fixed (byte* first = buffer)
            {
                result = fill(first, ref length);
            }

            if (result != -ERANGE)
            {
                ThrowHelper.Check(result, call, subject);
                return Encoding.UTF8.GetString(buffer.AsSpan(0, Math.Max(0, buffer.AsSpan().IndexOf((byte)0))));
            }

            capacity = Math.Max(length, capacity * 2);
        }
    }

    /// <summary>Strings that stand one behind another, each with a 0 at its end.</summary>
    public static string[] Split(ReadOnlySpan<byte> buffer) =>
        buffer.IsEmpty ? [] : Encoding.UTF8.GetString(buffer[..^1]).Split('\0');

    /// <summary>A C string; a null pointer is the empty string.</summary>
    public static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";
}
