using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Backup;

/// <summary>
/// Reads a segment's data into one buffer, ahead of the frame that is asked for. Neighbouring extents are read together, up to a RADOS object's usual
/// size at a time: frames are smaller than what an OSD reads well.
/// </summary>
internal sealed class SegmentReader : IAsyncDisposable
{
    private const int MaxRead = 4 << 20;

    private readonly IImage _image;
    private readonly ArrayPool<byte> _buffers;
    private readonly SemaphoreSlim _slots;
    private readonly int _ahead;
    private readonly IThrottle _throttle;
    private readonly CancellationTokenSource _failed;
    private readonly byte[] _buffer;
    private readonly List<(long Offset, int Start, int Length)> _reads;
    private readonly Queue<(int End, Task Done)> _running = new();
    private int _next;
    private int _ready;
    private int _handedOut;

    /// <summary>A reader of one segment.</summary>
    /// <param name="image">The image, shown at the point's snapshot.</param>
    /// <param name="cut">The segment.</param>
    /// <param name="buffers">Where the buffer comes from, and goes back to.</param>
    /// <param name="slots">The reads that may run at a time, shared by all readers.</param>
    /// <param name="ahead">How many reads this reader keeps running.</param>
    /// <param name="throttle">Holds reads back.</param>
    /// <param name="cancel">Ends the reading.</param>
    public SegmentReader(IImage image, SegmentPlan cut, ArrayPool<byte> buffers, SemaphoreSlim slots, int ahead, IThrottle throttle, CancellationToken cancel)
    {
        (_image, _buffers, _slots, _ahead, _throttle) = (image, buffers, slots, ahead, throttle);
        _failed = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        _buffer = buffers.Rent((int)Math.Max(1, cut.DataBytes));
        _reads = Join(cut.Frames.SelectMany(f => f.Extents).Where(e => e.Exists));
    }

    /// <summary>The bytes of the next frame's existing extents, one behind the other; the reader's until it is disposed.</summary>
    public async Task<ReadOnlyMemory<byte>> ReadAsync(FramePlan frame)
    {
        var data = _buffer.AsMemory(_handedOut, frame.DataBytes);
        _handedOut += frame.DataBytes;
        Start();
        while (_ready < _handedOut)
        {
            var (end, done) = _running.Dequeue();
            await done;
            _ready = end;
            Start();
        }

        return data;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Reads that still run write into rented memory: they end before it goes back, and before the image is closed.
        await _failed.CancelAsync();
        await Task.WhenAll(_running.Select(r => r.Done)).ContinueWith(_ => { }, TaskScheduler.Default);
        _failed.Dispose();
        _buffers.Return(_buffer);
    }

    private void Start()
    {
        for (; _next < _reads.Count && _running.Count < _ahead; _next++)
        {
            var (offset, start, length) = _reads[_next];
            _running.Enqueue((start + length, ReadAsync(offset, _buffer.AsMemory(start, length))));
        }
    }

    private async Task ReadAsync(long offset, Memory<byte> destination)
    {
        await _slots.WaitAsync(_failed.Token);
        try
        {
            await _throttle.WaitAsync(destination.Length, _failed.Token);
            await _image.ReadAsync(offset, destination, _failed.Token);
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>The reads, each within one aligned piece of the image, and where in the buffer they go.</summary>
    private static List<(long Offset, int Start, int Length)> Join(IEnumerable<Extent> extents)
    {
        var reads = new List<(long Offset, int Start, int Length)>();
        var start = 0;
        foreach (var extent in extents)
        {
            for (var (at, end) = (extent.Offset, extent.End); at < end;)
            {
                var length = (int)(Math.Min(end, (at / MaxRead + 1) * MaxRead) - at);
                if (reads.Count > 0 && at % MaxRead != 0 && reads[^1] is var last && last.Offset + last.Length == at)
                {
                    reads[^1] = last with { Length = last.Length + length };
                }
                else
                {
                    reads.Add((at, start, length));
                }

                (at, start) = (at + length, start + length);
            }
        }

        return reads;
    }
}
