using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>Puts a point's segments into the store, and finds those that an earlier attempt at the same plan left there.</summary>
public sealed class SegmentStore(PointRepository repository, PointId point, AttemptId attempt, ObjectReference plan)
{
    /// <summary>Stores a segment; its frames' memory stays the caller's.</summary>
    public async Task<StoredSegment> PutAsync(SegmentPlan cut, IReadOnlyList<StoredFrame> frames, CancellationToken cancel)
    {
        var locations = new List<FrameLocation>(frames.Count);
        var offset = 0L;
        foreach (var frame in frames)
        {
            locations.Add(new FrameLocation(offset, frame.Length));
            offset += frame.Length;
        }

        var footer = new SegmentFooter
        {
            Format = RepositoryFormat.Version,
            Point = point,
            Attempt = attempt,
            Plan = plan.Sha256,
            Segment = cut.Number,
            Last = cut.Last,
            Codec = repository.Codec.Name,
            Frames = locations,
            DataBytes = frames.Sum(f => f.DataBytes),
            ZeroBytes = frames.Sum(f => f.ZeroBytes),
        };
        var tail = new ArrayBufferWriter<byte>();
        TailDirectory.Write(tail, footer, RepositoryJson.Default.SegmentFooter);
        var content = MemoryPieces.Join(frames.SelectMany(f => f.Bytes.Pieces).Append(tail.WrittenMemory));
        await repository.Store.PutAsync(Keys.Segment(point, cut.Number, attempt), content, cancel);
        return Stored(footer, content.Length);
    }

    /// <summary>
    /// The segments that are there already and were cut by the same plan, by number. One whose footer can't be read is not used: it is made again
    /// under another key.
    /// </summary>
    public async Task<IReadOnlyDictionary<int, StoredSegment>> FindAsync(CancellationToken cancel)
    {
        var found = new Dictionary<int, StoredSegment>();
        await foreach (var stored in repository.Store.ListAsync(Keys.PointData(point), cancel))
        {
            if (Keys.TryParseSegment(stored.Key) is { } key && !found.ContainsKey(key.Number)
                && await TryReadAsync(stored, key.Number, key.Attempt, cancel) is { } segment)
            {
                found.Add(key.Number, segment);
            }
        }

        return found;
    }

    private async Task<StoredSegment?> TryReadAsync(StoredObject stored, int number, AttemptId by, CancellationToken cancel)
    {
        try
        {
            var (footer, start) = await TailDirectory.ReadAsync(
                repository.Store, stored.Key, stored.Length, RepositoryJson.Default.SegmentFooter, cancel);
            var whole = footer.Frames.Count > 0 && footer.Frames.Sum(f => (long)f.Length) == start;
            return whole && footer.Point == point && footer.Attempt == by && footer.Segment == number && footer.Plan == plan.Sha256
                ? Stored(footer, stored.Length)
                : null;
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
        {
            return null;
        }
    }

    private static StoredSegment Stored(SegmentFooter footer, long length) =>
        new(footer.Segment, footer.Attempt, length, footer.Frames, footer.DataBytes, footer.ZeroBytes);
}
