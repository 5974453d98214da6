using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace RbdBackup.Core.Diff;

/// <summary>
/// Writes <c>rbd diff</c> records to memory. It writes what it is told: a whole diff is <see cref="Header"/>, the names and the size, then data and
/// zeros by ascending offset without overlap (<c>rbd merge-diff</c> takes no others), then <see cref="End"/>; a frame is a part of that.
/// </summary>
/// <param name="output">Where the bytes go.</param>
/// <param name="format">The version to write.</param>
public sealed class DiffWriter(IBufferWriter<byte> output, DiffFormat format)
{
    /// <summary>How many bytes a data record takes beyond its data, which is what a zero record takes in all.</summary>
    public static int DataHeaderLength(DiffFormat format) => DiffGrammar.PrefixLength(format) + 16;

    /// <summary>Writes the line that a diff starts with.</summary>
    public void Header() => output.Write(DiffGrammar.Banner(format));

    /// <summary>Writes the name of the snapshot that the diff starts from; a full has none.</summary>
    public void FromSnap(string name) => Name(DiffGrammar.FromSnap, name);

    /// <summary>Writes the name of the snapshot that the diff leads to.</summary>
    public void ToSnap(string name) => Name(DiffGrammar.ToSnap, name);

    /// <summary>Writes the image's size at the end, in bytes.</summary>
    public void Size(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, DiffGrammar.MaxOffset);
        Number(Start(DiffGrammar.Size, 8, 8), size);
        output.Advance(DiffGrammar.PrefixLength(format) + 8);
    }

    /// <summary>Writes changed bytes, at least one.</summary>
    public void Data(long offset, ReadOnlySpan<byte> data)
    {
        DataHeader(offset, data.Length);
        output.Write(data);
    }

    /// <summary>Writes what stands before changed bytes, at least one; the caller puts those <paramref name="length"/> bytes behind it.</summary>
    public void DataHeader(long offset, int length) => Range(DiffGrammar.Data, offset, length, length);

    /// <summary>Writes that <paramref name="length"/> bytes, at least one, became zeros.</summary>
    public void Zero(long offset, long length) => Range(DiffGrammar.Zero, offset, length, 0);

    /// <summary>Writes that nothing follows.</summary>
    public void End() => output.Write([DiffGrammar.End]);

    private void Name(byte tag, string name)
    {
        var length = Encoding.UTF8.GetByteCount(name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, DiffGrammar.MaxName, nameof(name));
        var fields = Start(tag, 4 + length, 4 + length);
        BinaryPrimitives.WriteInt32LittleEndian(fields, length);
        Encoding.UTF8.GetBytes(name, fields[4..]);
        output.Advance(DiffGrammar.PrefixLength(format) + 4 + length);
    }

    private void Range(byte tag, long offset, long length, int payload)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, DiffGrammar.MaxOffset - length);
        var fields = Start(tag, 16, 16L + payload);
        Number(fields, offset);
        Number(fields[8..], length);
        output.Advance(DataHeaderLength(format));
    }

    /// <summary>Puts the tag, and in v2 the record's length, at the start of a span that has room for <paramref name="fields"/> more bytes, and gives those.</summary>
    private Span<byte> Start(byte tag, int fields, long claim)
    {
        var prefix = DiffGrammar.PrefixLength(format);
        var span = output.GetSpan(prefix + fields);
        span[0] = tag;
        if (format == DiffFormat.V2)
        {
            Number(span[1..], claim);
        }

        return span[prefix..];
    }

    private static void Number(Span<byte> field, long value) => BinaryPrimitives.WriteInt64LittleEndian(field, value);
}
