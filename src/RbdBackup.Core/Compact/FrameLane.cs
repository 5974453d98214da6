using System.Buffers;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Compact;

/// <summary>
/// Writes image data that comes in ascending order into frames and segments of a compaction, under an attempt of its own. Memory: a frame's data and a
/// segment's compressed frames.
/// </summary>
internal sealed class FrameLane(PointRepository repository, PointId compaction, CutParameters cut) : IDisposable
{
    // Frames end with each leaf, so those of a sparse image are small.
    private const int MaxFrames = 4096;

    private readonly AttemptId _attempt = AttemptId.New();
    private readonly FrameEncoder _encoder = new(repository.Codec, compaction, cut);
    private readonly List<StoredFrame> _frames = [];
    private readonly List<Piece> _moved = [];
    private byte[] _data = [];
    private int _filled;
    private List<Extent> _extents = [];
    private int _segment;
    private long _plain;

    /// <summary>How many bytes wait for their segment to be stored.</summary>
    public long Waiting { get; private set; }

    /// <summary>How many bytes were stored.</summary>
    public long StoredBytes { get; private set; }

    /// <summary>Adds data that lies behind all that came before.</summary>
    public async Task AddAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancel)
    {
        _data = _data.Length == 0 ? new byte[cut.FrameBytes] : _data;
        while (data.Length > 0)
        {
            var take = Math.Min(data.Length, cut.FrameBytes - _filled);
            data[..take].CopyTo(_data.AsMemory(_filled));
            var follows = _extents.Count > 0 && _extents[^1].End == offset;
            var extent = follows ? _extents[^1] with { Length = _extents[^1].Length + take } : new Extent(offset, take, true);
            _extents.RemoveRange(_extents.Count - (follows ? 1 : 0), follows ? 1 : 0);
            _extents.Add(extent);
            (_filled, offset, data) = (_filled + take, offset + take, data[take..]);
            if (_filled == cut.FrameBytes || _extents.Count == CutParameters.FrameExtents)
            {
                CloseFrame();
            }

            if (_plain + cut.FrameBytes > cut.SegmentBytes || _frames.Count == MaxFrames)
            {
                await StoreAsync(cancel);
            }
        }
    }

    /// <summary>Closes the frame that is open, so that all that was added has a name.</summary>
    public void CloseFrame()
    {
        if (_filled == 0)
        {
            return;
        }

        using var made = _encoder.Encode(_segment, new FramePlan(_frames.Count, _extents), _data.AsMemory(0, _filled), head: null, end: false);
        var length = SegmentStore.StoredLength(repository, made);
        var name = new FrameName(compaction, _attempt, _segment, Waiting, length);
        _moved.AddRange(_extents.Select(e => new Piece(e.Offset, e.Length, name)));

        // It names the data that it was made of, which the next frame takes the place of.
        var bytes = new PieceList();
        foreach (var piece in made.Bytes.Pieces)
        {
            bytes.Write(piece.Span);
        }

        _frames.Add(new StoredFrame(bytes, new PieceList(), made.DataBytes, made.ZeroBytes));
        (Waiting, _plain, _filled, _extents) = (Waiting + length, _plain + _filled, 0, []);
    }

    /// <summary>What was moved within a range of this leaf, by its new frames.</summary>
    public IEnumerable<Piece> Between(long start, long end)
    {
        var (low, high) = (0, _moved.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _moved[middle].End <= start ? (middle + 1, high) : (low, middle);
        }

        for (; low < _moved.Count && _moved[low].Offset < end; low++)
        {
            yield return _moved[low].Clip(start, end);
        }
    }

    /// <summary>Forgets where things went: the next leaf begins.</summary>
    public void NextLeaf() => _moved.Clear();

    /// <summary>Stores the segment that is open, if it has any frame.</summary>
    public async Task StoreAsync(CancellationToken cancel)
    {
        if (_frames.Count == 0)
        {
            return;
        }

        // No plan cut it, and it is no part of a stream.
        var store = new SegmentStore(repository, compaction, _attempt, new ObjectReference("", 0, ""));
        var stored = await store.PutAsync(new SegmentPlan(_segment, false, []), _frames, cancel);
        Checkpoints.Pass("compact.segment");
        Dispose();
        (StoredBytes, Waiting, _plain, _segment) = (StoredBytes + stored.Length, 0, 0, _segment + 1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _frames.ForEach(f => f.Dispose());
        _frames.Clear();
    }
}
