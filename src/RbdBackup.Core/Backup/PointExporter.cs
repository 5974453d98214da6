using System.Buffers;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Backup;

/// <summary>
/// Reads what a plan names and stores it: several segments at a time, each frame by frame, with reads ahead of the frame that is being encoded.
/// </summary>
public sealed class PointExporter(IImage image, FrameEncoder encoder, SegmentStore segments, BackupOptions options, IThrottle throttle) : IDisposable
{
    /// <summary>The largest that the configuration takes; a plan of an earlier try may have been cut by another one.</summary>
    private const int MaxSegment = 1 << 30;

    private readonly SemaphoreSlim _reads = new(options.ReadsInFlight);

    /// <summary>As many as there are segments under way: the shared pool keeps one more for each thread that gave one back.</summary>
    private readonly ArrayPool<byte> _buffers = ArrayPool<byte>.Create(MaxSegment, options.Uploads);

    /// <summary>Stores all segments that are not in <paramref name="present"/> and returns all, in order.</summary>
    /// <param name="plan">What to export.</param>
    /// <param name="head">What the stream starts with.</param>
    /// <param name="present">The segments that an earlier attempt left.</param>
    /// <param name="onRead">Told how many bytes of the plan were done, as they are.</param>
    /// <param name="cancel">Ends the export; segments that are stored stay for the next attempt.</param>
    public async Task<IReadOnlyList<StoredSegment>> ExportAsync(
        PointPlan plan, StreamHead head, IReadOnlyDictionary<int, StoredSegment> present, Action<long> onRead, CancellationToken cancel)
    {
        var stored = new StoredSegment[Cutter.Count(plan.Extents, plan.Head.Cut)];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Uploads, CancellationToken = cancel };
        await Parallel.ForEachAsync(Cutter.Cut(plan.Extents, plan.Head.Cut), parallel, async (cut, ct) =>
        {
            stored[cut.Number] = present.TryGetValue(cut.Number, out var there) && there.Frames.Count == cut.Frames.Count
                ? there
                : await ExportSegmentAsync(cut, head, onRead, ct);
            if (there is not null)
            {
                onRead(cut.DataBytes);
            }
        });
        return stored;
    }

    /// <inheritdoc/>
    public void Dispose() => _reads.Dispose();

    private async Task<StoredSegment> ExportSegmentAsync(SegmentPlan cut, StreamHead head, Action<long> onRead, CancellationToken cancel)
    {
        await using var reader = new SegmentReader(image, cut, _buffers, _reads, options.ReadsInFlight, throttle, cancel);
        var frames = new List<StoredFrame>(cut.Frames.Count);
        try
        {
            foreach (var frame in cut.Frames)
            {
                var data = await reader.ReadAsync(frame);
                var end = cut.Last && frame.Number == cut.Frames.Count - 1;
                var first = cut.Number == 0 && frame.Number == 0;
                frames.Add(encoder.Encode(cut.Number, frame, data, first ? head : null, end));
                onRead(frame.DataBytes);
            }

            var stored = await segments.PutAsync(cut, frames, cancel);
            Checkpoints.Pass("backup.segment");
            return stored;
        }
        finally
        {
            frames.ForEach(f => f.Dispose());
        }
    }
}
