using System.Buffers;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>Numbers of 0 to 2^63-1 as LEB128: seven bits a byte, the lowest first, the high bit set on all but the last.</summary>
internal static class Varint
{
    public static void Write(IBufferWriter<byte> output, long value)
    {
        var span = output.GetSpan(10);
        var n = 0;
        var v = checked((ulong)value);
        for (; v >= 0x80; v >>= 7)
        {
            span[n++] = (byte)(v | 0x80);
        }

        span[n++] = (byte)v;
        output.Advance(n);
    }

    /// <summary>Reads one number and moves <paramref name="input"/> behind it; false where the input ends or the number is too long.</summary>
    public static bool TryRead(ref ReadOnlySpan<byte> input, out long value)
    {
        value = 0;
        for (var i = 0; i < 9 && i < input.Length; i++)
        {
            value |= (long)(input[i] & 0x7F) << (7 * i);
            if (input[i] < 0x80)
            {
                input = input[(i + 1)..];
                return true;
            }
        }

        return false;
    }

    /// <summary>Extents in ascending order, each as the gap to the one before and <c>length*2 + exists</c>.</summary>
    public static void WriteExtents(IBufferWriter<byte> output, IEnumerable<Extent> extents, long from = 0)
    {
        foreach (var extent in extents)
        {
            Write(output, extent.Offset - from);
            Write(output, (extent.Length << 1) | (extent.Exists ? 1L : 0L));
            from = extent.End;
        }
    }

    /// <summary>Reads what <see cref="WriteExtents"/> wrote; false where the input is damaged. Adds at most <paramref name="count"/> extents.</summary>
    public static bool TryReadExtents(ref ReadOnlySpan<byte> input, int count, List<Extent> extents, long from = 0)
    {
        for (var i = 0; i < count; i++)
        {
            if (!TryRead(ref input, out var gap) || !TryRead(ref input, out var packed) || packed < 2 || gap > long.MaxValue / 4 - from)
            {
                return false;
            }

            var extent = new Extent(from + gap, packed >> 1, (packed & 1) != 0);
            if (extent.Length > long.MaxValue / 4 - extent.Offset)
            {
                return false;
            }

            extents.Add(extent);
            from = extent.End;
        }

        return true;
    }
}
