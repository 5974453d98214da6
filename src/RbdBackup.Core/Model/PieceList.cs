using System.Buffers;

namespace RbdBackup.Core.Model;

/// <summary>
/// Bytes in pieces, in order: small ones are written into rented memory, large ones are named where they are, so that a disk's data is not copied on
/// its way from librbd to the store. Dispose gives the rented memory back; what was only named stays its owner's, and must stay unchanged until then.
/// </summary>
public sealed class PieceList : IBufferWriter<byte>, IDisposable
{
    private const int Chunk = 16 << 10;

    /// <summary>A piece of its own costs more than copying so few bytes.</summary>
    private const int WorthNaming = 512;

    private readonly List<ReadOnlyMemory<byte>> _pieces = [];
    private readonly List<byte[]> _rented = [];
    private byte[] _chunk = [];
    private int _start;
    private int _written;

    /// <summary>How many bytes there are.</summary>
    public long Length { get; private set; }

    /// <summary>The pieces, none of them empty.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Pieces
    {
        get
        {
            Close();
            return _pieces;
        }
    }

    /// <summary>Adds bytes where they are.</summary>
    public void Append(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length < WorthNaming)
        {
            this.Write(bytes.Span);
            return;
        }

        Close();
        _pieces.Add(bytes);
        Length += bytes.Length;
    }

    /// <summary>Adds all that another list has, and takes over its memory; that list is empty then.</summary>
    public void Take(PieceList other)
    {
        Close();
        _pieces.AddRange(other.Pieces);
        _rented.AddRange(other._rented);
        Length += other.Length;
        other._rented.Clear();
        other.Dispose();
    }

    /// <inheritdoc/>
    public void Advance(int count)
    {
        _written += count;
        Length += count;
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_chunk.Length - _written < Math.Max(sizeHint, 1))
        {
            Close();
            _chunk = ArrayPool<byte>.Shared.Rent(Math.Max(sizeHint, Chunk));
            _rented.Add(_chunk);
            _start = _written = 0;
        }

        return _chunk.AsMemory(_written);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <inheritdoc/>
    public void Dispose()
    {
        _rented.ForEach(chunk => ArrayPool<byte>.Shared.Return(chunk));
        _rented.Clear();
        _pieces.Clear();
        (_chunk, _start, _written, Length) = ([], 0, 0, 0);
    }

    private void Close()
    {
        if (_written > _start)
        {
            _pieces.Add(_chunk.AsMemory(_start, _written - _start));
            _start = _written;
        }
    }
}
