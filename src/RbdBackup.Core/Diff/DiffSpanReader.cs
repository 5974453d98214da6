namespace RbdBackup.Core.Diff;

/// <summary>A record in memory.</summary>
/// <param name="header">All of it but the data.</param>
/// <param name="data">A data record's bytes; empty for others.</param>
public readonly ref struct DiffSpanRecord(DiffRecord header, ReadOnlySpan<byte> data)
{
    /// <summary>What the record says.</summary>
    public DiffTag Tag { get; } = header.Tag;

    /// <summary>Data and Zero: where in the image, in bytes.</summary>
    public long Offset { get; } = header.Offset;

    /// <summary>Data and Zero: how many bytes, more than 0. Size: the image's size in bytes.</summary>
    public long Length { get; } = header.Length;

    /// <summary>FromSnap and ToSnap: the snapshot's name.</summary>
    public string? Name { get; } = header.Name;

    /// <summary>Data: the bytes, <see cref="Length"/> of them.</summary>
    public ReadOnlySpan<byte> Data { get; } = data;
}

/// <summary>
/// Reads whole records that are in memory, such as a frame's, one after the other. The line that a diff starts with is passed over where
/// it is the first thing.
/// </summary>
/// <remarks>Whether the records make a whole diff is the caller's to see: a frame alone has no end record.</remarks>
/// <param name="records">The records; nothing behind them.</param>
/// <param name="format">Their version.</param>
public ref struct DiffSpanReader(ReadOnlySpan<byte> records, DiffFormat format)
{
    private readonly ReadOnlySpan<byte> _records = records;
    private int _position = records.StartsWith(DiffGrammar.Banner(format)) ? DiffGrammar.Banner(format).Length : 0;
    private bool _ended;

    /// <summary>Reads the next record; false behind the last one.</summary>
    /// <exception cref="Model.RbdBackupException"><see cref="Model.ErrorKind.Corrupt"/>: no such record, one that reaches beyond the end, or something behind
    /// the end record. The message has the position, in bytes.</exception>
    public bool TryRead(out DiffSpanRecord record)
    {
        record = default;
        while (_position < _records.Length)
        {
            var rest = _records[_position..];
            if (_ended)
            {
                throw DiffGrammar.Corrupt(_position, $"{rest.Length} bytes follow the end record");
            }

            var head = DiffGrammar.HeadLength(rest, format, _position);
            if (head > rest.Length)
            {
                throw DiffGrammar.CutOff(_records.Length);
            }

            var (header, payload) = DiffGrammar.ParseHead(rest[..head], format, _position);
            if (payload > rest.Length - head)
            {
                throw DiffGrammar.CutOff(_records.Length);
            }

            _position += head + (int)payload;
            _ended = header?.Tag == DiffTag.End;
            if (header is { } known)
            {
                record = new DiffSpanRecord(known, rest.Slice(head, (int)payload));
                return true;
            }
        }

        return false;
    }
}
