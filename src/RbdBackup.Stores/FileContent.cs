using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RbdBackup.Stores;

/// <summary>
/// Writes a new file's bytes. Large ones go past the page cache, where the file system can: a backup is not read again soon, and pages for it are taken
/// from what others read, at a price in processor time that differs tenfold from hour to hour.
/// </summary>
internal sealed class FileContent : IDisposable
{
    /// <summary>Below this the cache is quicker, and what is small is read again soon.</summary>
    private const int DirectFrom = 1 << 20;

    /// <summary>What memory, offsets and lengths of direct writes are multiples of; no disk has larger blocks.</summary>
    private const int Block = 4096;

    private const int WriteAtOnce = 2 << 20;

    /// <summary>
    /// Buffers that are used again: the framework's pool keeps one for the thread that gave it back, and a thread of ours ends with its upload. Memory
    /// that nobody ever touched is dear.
    /// </summary>
    private static readonly ConcurrentQueue<byte[]> Spare = new();
    private const int SpareMost = 4;

    private readonly SafeFileHandle _file;
    private readonly byte[] _pinned;
    private readonly Memory<byte> _buffer;
    private bool _direct;
    private int _filled;
    private long _offset;

    private FileContent(SafeFileHandle file, long length)
    {
        _file = file;
        _pinned = Spare.TryDequeue(out var spare) ? spare : GC.AllocateUninitializedArray<byte>(WriteAtOnce + Block, pinned: true);
        _buffer = _pinned.AsMemory((int)((Block - Marshal.UnsafeAddrOfPinnedArrayElement(_pinned, 0) % Block) % Block), WriteAtOnce);
        _direct = length >= DirectFrom && Posix.TrySetDirect(file, true);
    }

    /// <summary>Writes all of <paramref name="content"/> from the file's start; the file is not synced yet.</summary>
    /// <exception cref="IOException">As the file system says.</exception>
    public static void Write(SafeFileHandle file, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        using var writer = new FileContent(file, content.Length);
        foreach (var part in content)
        {
            cancel.ThrowIfCancellationRequested();
            writer.Append(part.Span);
        }

        writer.Flush();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Spare.Count < SpareMost)
        {
            Spare.Enqueue(_pinned);
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var taken = Math.Min(bytes.Length, _buffer.Length - _filled);
            bytes[..taken].CopyTo(_buffer.Span[_filled..]);
            bytes = bytes[taken..];
            _filled += taken;
            if (_filled == _buffer.Length)
            {
                Flush();
            }
        }
    }

    private void Flush()
    {
        // The file's end is in the middle of a block, as a rule.
        if (_filled % Block != 0)
        {
            UseCache();
        }

        try
        {
            RandomAccess.Write(_file, _buffer.Span[.._filled], _offset);
        }
        catch (IOException e) when (_direct && e.HResult == Posix.EINVAL)
        {
            // A file system that takes the flag and not the write.
            UseCache();
            RandomAccess.Write(_file, _buffer.Span[.._filled], _offset);
        }

        _offset += _filled;
        _filled = 0;
    }

    private void UseCache() => _direct = _direct && !Posix.TrySetDirect(_file, false);
}
