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
    private readonly SemaphoreSlim _reads = new(options.ReadsInFlight);

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
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var ahead = new Queue<Task<byte[]>>();
        var frames = new List<StoredFrame>(cut.Frames.Count);
        try
        {
            var next = 0;
            foreach (var frame in cut.Frames)
            {
                for (; next < cut.Frames.Count && ahead.Count < Math.Max(1, options.ReadsInFlight / options.Uploads); next++)
                {
                    ahead.Enqueue(ReadFrameAsync(cut.Frames[next], failed.Token));
                }

                var data = await ahead.Peek();
                _ = ahead.Dequeue();
                var end = cut.Last && frame.Number == cut.Frames.Count - 1;
                var first = cut.Number == 0 && frame.Number == 0;
                frames.Add(encoder.Encode(cut.Number, frame, data.AsSpan(0, frame.DataBytes), first ? head : null, end));
                ArrayPool<byte>.Shared.Return(data);
                onRead(frame.DataBytes);
            }

            var stored = await segments.PutAsync(cut, frames, cancel);
            Checkpoints.Pass("backup.segment");
            return stored;
        }
        finally
        {
            // Reads that still run write into rented memory: they end before it goes back, and before the image is closed.
            await failed.CancelAsync();
            foreach (var read in ahead)
            {
                await read.ContinueWith(
                    r => { if (r.IsCompletedSuccessfully) { ArrayPool<byte>.Shared.Return(r.Result); } },
                    CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }

            frames.ForEach(f => f.Dispose());
        }
    }

    private async Task<byte[]> ReadFrameAsync(FramePlan frame, CancellationToken cancel)
    {
        var data = ArrayPool<byte>.Shared.Rent(Math.Max(1, frame.DataBytes));
        var reads = new List<Task>(frame.Extents.Count);
        var at = 0;
        foreach (var extent in frame.Extents.Where(e => e.Exists))
        {
            reads.Add(ReadAsync(extent.Offset, data.AsMemory(at, (int)extent.Length), cancel));
            at += (int)extent.Length;
        }

        await Task.WhenAll(reads);
        return data;
    }

    private async Task ReadAsync(long offset, Memory<byte> destination, CancellationToken cancel)
    {
        await _reads.WaitAsync(cancel);
        try
        {
            await throttle.WaitAsync(destination.Length, cancel);
            await image.ReadAsync(offset, destination, cancel);
        }
        finally
        {
            _reads.Release();
        }
    }
}
