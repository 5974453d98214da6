namespace RbdBackup.Core.Diff;

/// <summary>A run of data or of zeros in a buffer.</summary>
/// <param name="Start">Where in the buffer it starts, in bytes.</param>
/// <param name="Length">How long it is, in bytes; more than 0.</param>
/// <param name="IsZero">True where all of it is zeros.</param>
public readonly record struct Run(int Start, int Length, bool IsZero);

/// <summary>
/// Splits a buffer of one extent into runs of data and of zeros, so that an increment holds what changed and not what librbd's extents cover.
/// </summary>
public static class ZeroRuns
{
    /// <summary>The granularity in bytes, aligned to the image: smaller zeros inside a block are data. It is the block size of most file systems.</summary>
    public const int Block = 4096;

    /// <summary>The runs of <paramref name="data"/>, in order, without gaps; data and zeros alternate.</summary>
    /// <param name="data">The bytes.</param>
    /// <param name="offset">Where in the image they start. A block that is only in part in the buffer counts with that part.</param>
    /// <param name="minRun">The least length of a run of zeros, in bytes; shorter ones are data.</param>
    public static ZeroRunEnumerator Enumerate(ReadOnlySpan<byte> data, long offset, int minRun) => new(data, offset, minRun);
}

/// <summary>Finds the runs of a buffer, one after the other; see <see cref="ZeroRuns.Enumerate"/>.</summary>
public ref struct ZeroRunEnumerator
{
    private readonly ReadOnlySpan<byte> _data;
    private readonly int _minRun;

    /// <summary>How far the buffer's start is behind the start of its block.</summary>
    private readonly int _phase;

    /// <summary>The next run of zeros, found while looking for the end of the data before it; empty and behind the last byte when there is none.</summary>
    private (int Start, int End) _zeros;

    internal ZeroRunEnumerator(ReadOnlySpan<byte> data, long offset, int minRun)
    {
        _data = data;
        _minRun = minRun;
        _phase = (int)(offset & (ZeroRuns.Block - 1));
        _zeros = FindZeros(0);
    }

    /// <summary>The run found last.</summary>
    public Run Current { get; private set; }

    /// <summary>The enumerator itself, for <c>foreach</c>.</summary>
    public readonly ZeroRunEnumerator GetEnumerator() => this;

    /// <summary>Goes to the next run; false behind the last one.</summary>
    public bool MoveNext()
    {
        var position = Current.Start + Current.Length;
        if (position == _data.Length)
        {
            return false;
        }

        if (position < _zeros.Start)
        {
            Current = new Run(position, _zeros.Start - position, false);
            return true;
        }

        Current = new Run(position, _zeros.End - position, true);
        _zeros = FindZeros(_zeros.End);
        return true;
    }

    /// <summary>The first long enough run of zero blocks from <paramref name="position"/> on, where a block starts. No byte is looked at twice.</summary>
    private readonly (int Start, int End) FindZeros(int position)
    {
        while (position < _data.Length)
        {
            var next = _data[position..].IndexOfAnyExcept((byte)0);
            var first = next < 0 ? _data.Length : position + next;
            var end = next < 0 ? _data.Length : BlockStart(first);
            if (end > position && end - position >= _minRun)
            {
                return (position, end);
            }

            // The block with the first other byte is data, and so is what was too short before it.
            position = (int)Math.Min(_data.Length, (long)BlockStart(first) + ZeroRuns.Block);
        }

        return (_data.Length, _data.Length);
    }

    /// <summary>Where the block of a byte starts; before the buffer for the first bytes of one that starts within a block.</summary>
    private readonly int BlockStart(int position) => position - ((position + _phase) & (ZeroRuns.Block - 1));
}
