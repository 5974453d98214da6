using System.Buffers.Binary;
using System.Text;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Diff;

/// <summary>
/// The bytes of <c>rbd diff</c> records, as Ceph's doc/dev/rbd-diff.rst describes them and as the <c>rbd</c> command writes and reads them, for all
/// readers and the writer. All numbers are little-endian. A record's head is all of it but a data record's bytes.
/// </summary>
internal static class DiffGrammar
{
    public const byte FromSnap = (byte)'f';
    public const byte ToSnap = (byte)'t';
    public const byte Size = (byte)'s';
    public const byte Data = (byte)'w';
    public const byte Zero = (byte)'z';
    public const byte End = (byte)'e';

    /// <summary>A v2 snapshot's protection, one byte. <c>rbd</c> claims eight for it and both writes and reads one (as of 16.2), so the claim is ignored.</summary>
    public const byte Protection = (byte)'p';

    /// <summary>The longest snapshot name that the <c>rbd</c> command reads, in bytes.</summary>
    public const int MaxName = 4096;

    /// <summary>The longest head, in bytes: a v2 name.</summary>
    public const int MaxHead = 1 + 8 + 4 + MaxName;

    /// <summary>No offset or size is larger, so that sums never overflow.</summary>
    public const long MaxOffset = 1L << 62;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>The line that a diff starts with; both versions' have the same length.</summary>
    public static ReadOnlySpan<byte> Banner(DiffFormat format) => format == DiffFormat.V1 ? "rbd diff v1\n"u8 : "rbd diff v2\n"u8;

    /// <summary>The bytes before a record's fields: the tag, and in v2 the length.</summary>
    public static int PrefixLength(DiffFormat format) => format == DiffFormat.V1 ? 1 : 9;

    /// <summary>
    /// How long the head is that starts <paramref name="seen"/> (at least one byte), as far as those bytes tell: the answer is final when it is not more than what was seen.
    /// </summary>
    public static int HeadLength(ReadOnlySpan<byte> seen, DiffFormat format, long position)
    {
        var prefix = PrefixLength(format);
        return seen[0] switch
        {
            End => 1,
            Size => prefix + 8,
            Data or Zero => prefix + 16,
            FromSnap or ToSnap => seen.Length < prefix + 4 ? prefix + 4 : prefix + 4 + NameLength(seen[prefix..], position),
            Protection when format == DiffFormat.V2 => prefix + 1,
            _ when format == DiffFormat.V2 => prefix,
            var tag => throw Corrupt(position, $"there is no record with the tag 0x{tag:x2}"),
        };
    }

    /// <summary>Reads a whole head of <see cref="HeadLength"/> bytes.</summary>
    /// <returns>The record, or null for one to pass over; and how many bytes belong to it behind the head.</returns>
    public static (DiffRecord? Record, long Payload) ParseHead(ReadOnlySpan<byte> head, DiffFormat format, long position)
    {
        var tag = head[0];
        if (tag == End)
        {
            return (new DiffRecord(DiffTag.End, 0, 0, null), 0);
        }

        var claimed = format == DiffFormat.V1 ? (long?)null : Number(head[1..], "a record's length", position);
        var fields = head[PrefixLength(format)..];
        DiffRecord? record = tag switch
        {
            FromSnap => new DiffRecord(DiffTag.FromSnap, 0, 0, Name(fields, position)),
            ToSnap => new DiffRecord(DiffTag.ToSnap, 0, 0, Name(fields, position)),
            Size => new DiffRecord(DiffTag.Size, 0, Number(fields, "the image's size", position), null),
            Data => Range(DiffTag.Data, fields, position),
            Zero => Range(DiffTag.Zero, fields, position),
            _ => null,
        };
        if (record is not { } known)
        {
            return (null, tag == Protection ? 0 : claimed!.Value);
        }

        var payload = known.Tag == DiffTag.Data ? known.Length : 0;
        return claimed is null || claimed == fields.Length + payload
            ? (known, payload)
            : throw Corrupt(position, $"a record claims {claimed} bytes and has {fields.Length + payload}");
    }

    /// <summary>An error that says where in the diff it is.</summary>
    public static RbdBackupException Corrupt(long position, string what) =>
        new(ErrorKind.Corrupt, $"the rbd diff is damaged at byte {position}: {what}");

    /// <summary>The error of a diff, or a part of one, that ends within a record or before its end record.</summary>
    public static RbdBackupException CutOff(long position) => new(ErrorKind.Corrupt, $"the rbd diff is cut off after {position} bytes");

    private static int NameLength(ReadOnlySpan<byte> field, long position) =>
        BinaryPrimitives.ReadUInt32LittleEndian(field) is <= MaxName and var length
            ? (int)length
            : throw Corrupt(position, $"a snapshot's name is longer than {MaxName} bytes");

    private static string Name(ReadOnlySpan<byte> fields, long position)
    {
        try
        {
            return StrictUtf8.GetString(fields[4..]);
        }
        catch (DecoderFallbackException e)
        {
            throw new RbdBackupException(ErrorKind.Corrupt, $"the rbd diff is damaged at byte {position}: a snapshot's name is not UTF-8", null, e);
        }
    }

    private static DiffRecord Range(DiffTag tag, ReadOnlySpan<byte> fields, long position)
    {
        var offset = Number(fields, "an offset", position);
        var length = Number(fields[8..], "a length", position);
        return length > 0 && length <= MaxOffset - offset
            ? new DiffRecord(tag, offset, length, null)
            : throw Corrupt(position, $"no image has a range of {length} bytes at {offset}");
    }

    private static long Number(ReadOnlySpan<byte> field, string what, long position) =>
        BinaryPrimitives.ReadUInt64LittleEndian(field) is <= MaxOffset and var value
            ? (long)value
            : throw Corrupt(position, $"{what} is more than 2^62");
}
