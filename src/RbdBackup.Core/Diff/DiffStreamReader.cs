using RbdBackup.Core.Model;

namespace RbdBackup.Core.Diff;

/// <summary>
/// Reads a whole diff of unknown origin, v1 or v2 by its first line, in bounded memory. It reads not one byte behind the end record, so several
/// diffs may follow each other in a stream; an unbuffered stream of many small records wants a <see cref="BufferedStream"/> around it.
/// </summary>
/// <remarks>Errors are <see cref="RbdBackupException"/> with <see cref="ErrorKind.Corrupt"/> and the position in bytes: no such record, one that claims more
/// than <paramref name="limits"/> allows, names or size behind data, a range beyond the image's size, a stream that ends before its end record.</remarks>
/// <param name="input">The diff; stays the caller's.</param>
/// <param name="limits">What it may claim.</param>
public sealed class DiffStreamReader(Stream input, DiffLimits limits)
{
    private readonly byte[] _head = new byte[DiffGrammar.MaxHead];
    private long _position;
    private long _unread;
    private long _size = limits.MaxSize;
    private long _rangeEnd = -1;
    private bool _ended;

    /// <summary>The diff's version, known after the first <see cref="ReadAsync"/>.</summary>
    public DiffFormat Format { get; private set; }

    /// <summary>Reads the next record's head; null behind the end record. What was not read of the last record's data is passed over.</summary>
    public async ValueTask<DiffRecord?> ReadAsync(CancellationToken cancel)
    {
        if (Format == 0)
        {
            await ReadBannerAsync(cancel);
        }

        while (!_ended)
        {
            await SkipAsync(cancel);
            var start = _position;
            var length = await ReadHeadAsync(cancel);
            var (record, payload) = DiffGrammar.ParseHead(_head.AsSpan(0, length), Format, start);
            if (payload > limits.MaxRecord)
            {
                throw DiffGrammar.Corrupt(start, $"a record of {payload} bytes is longer than the {limits.MaxRecord} that are allowed");
            }

            _unread = payload;
            if (record is { } known)
            {
                Check(known, start);
                _ended = known.Tag == DiffTag.End;
                return known;
            }
        }

        return null;
    }

    /// <summary>Reads more of the current data record's bytes.</summary>
    /// <returns>How many, at least one; 0 when all were read, or the record has no data.</returns>
    public async ValueTask<int> ReadDataAsync(Memory<byte> destination, CancellationToken cancel)
    {
        var wanted = (int)Math.Min(destination.Length, _unread);
        if (wanted == 0)
        {
            return 0;
        }

        var read = await input.ReadAsync(destination[..wanted], cancel);
        _position += read;
        _unread -= read;
        return read > 0 ? read : throw DiffGrammar.CutOff(_position);
    }

    private async ValueTask ReadBannerAsync(CancellationToken cancel)
    {
        var length = DiffGrammar.Banner(DiffFormat.V1).Length;
        await FillAsync(0, length, cancel);
        var banner = _head.AsSpan(0, length);
        Format = banner.SequenceEqual(DiffGrammar.Banner(DiffFormat.V1)) ? DiffFormat.V1
            : banner.SequenceEqual(DiffGrammar.Banner(DiffFormat.V2)) ? DiffFormat.V2
            : throw DiffGrammar.Corrupt(0, "it does not start with 'rbd diff v1' or 'rbd diff v2'");
    }

    private async ValueTask<int> ReadHeadAsync(CancellationToken cancel)
    {
        var start = _position;
        await FillAsync(0, 1, cancel);
        for (var have = 1; ;)
        {
            var length = DiffGrammar.HeadLength(_head.AsSpan(0, have), Format, start);
            if (length <= have)
            {
                return length;
            }

            await FillAsync(have, length, cancel);
            have = length;
        }
    }

    private async ValueTask FillAsync(int from, int to, CancellationToken cancel)
    {
        var read = await input.ReadAtLeastAsync(_head.AsMemory(from, to - from), to - from, throwOnEndOfStream: false, cancel);
        _position += read;
        if (read < to - from)
        {
            throw DiffGrammar.CutOff(_position);
        }
    }

    private async ValueTask SkipAsync(CancellationToken cancel)
    {
        while (await ReadDataAsync(_head, cancel) > 0)
        {
        }
    }

    private void Check(DiffRecord record, long start)
    {
        switch (record.Tag)
        {
            case DiffTag.FromSnap or DiffTag.ToSnap or DiffTag.Size when _rangeEnd >= 0:
                throw DiffGrammar.Corrupt(start, "a name or the size follows data");
            case DiffTag.Size when record.Length > limits.MaxSize:
                throw DiffGrammar.Corrupt(start, $"an image of {record.Length} bytes is larger than the {limits.MaxSize} that are allowed");
            case DiffTag.Size:
                _size = record.Length;
                break;
            case DiffTag.Data or DiffTag.Zero when record.RangeEnd > _size:
                throw DiffGrammar.Corrupt(start, $"{record.Length} bytes at {record.Offset} reach beyond the image's {_size} bytes");
            case DiffTag.Data or DiffTag.Zero when record.Offset < _rangeEnd && !limits.AllowUnordered:
                throw DiffGrammar.Corrupt(start, $"a range at {record.Offset} does not follow the one before, which ends at {_rangeEnd}");
            case DiffTag.Data or DiffTag.Zero:
                _rangeEnd = record.RangeEnd;
                break;
            default:
                break;
        }
    }
}
