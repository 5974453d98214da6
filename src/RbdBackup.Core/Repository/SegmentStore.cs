using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Sealing;

namespace RbdBackup.Core.Repository;

/// <summary>Puts a point's segments into the store, and finds those that an earlier attempt at the same plan left there.</summary>
public sealed class SegmentStore(PointRepository repository, PointId point, AttemptId attempt, ObjectReference plan)
{
    /// <summary>Stores a segment; its frames' memory stays the caller's.</summary>
    public async Task<StoredSegment> PutAsync(SegmentPlan cut, IReadOnlyList<StoredFrame> frames, CancellationToken cancel)
    {
        using var sealer = repository.Seal is { } seal ? await seal.BeginSegmentAsync(point, attempt, cut.Number, cancel) : null;
        var locations = new List<FrameLocation>(frames.Count);
        var content = new List<ReadOnlyMemory<byte>>();
        var offset = 0L;
        foreach (var frame in frames)
        {
            var length = StoredLength(repository, frame);
            content.AddRange(sealer is null ? frame.Bytes.Pieces : [sealer.Seal((uint)locations.Count, offset, frame.Bytes.Pieces, frame.Length)]);
            locations.Add(new FrameLocation(offset, length));
            offset += length;
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
            KeyId = sealer is null ? null : attempt.Value,
            Frames = locations,
            DataBytes = frames.Sum(f => f.DataBytes),
            ZeroBytes = frames.Sum(f => f.ZeroBytes),
        };
        content.AddRange(sealer is null ? [Tail(footer)] : SealedFooter.Write(sealer, offset, footer));
        var stored = MemoryPieces.Join(content);
        await repository.Store.PutAsync(Keys.Segment(point, cut.Number, attempt), stored, cancel);
        return Stored(footer, stored.Length);
    }

    /// <summary>How many bytes a frame takes in its segment, sealed where the repository is.</summary>
    public static int StoredLength(PointRepository repository, StoredFrame frame) => frame.Length + (repository.Seal is null ? 0 : SealedFrame.Overhead);

    /// <summary>Reads a segment's footer, and says where it starts.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="segment">A frame of the segment, whichever.</param>
    /// <param name="length">The segment's length, in bytes.</param>
    /// <param name="cancel">Ends the read.</param>
    /// <exception cref="RbdBackupException">NotFound; Corrupt: cut off or damaged.</exception>
    public static Task<(SegmentFooter Footer, long Start)> ReadFooterAsync(
        PointRepository repository, FrameName segment, long length, CancellationToken cancel) =>
        ReadFooterAsync(repository.Store, repository.Seal, segment, length, cancel);

    /// <summary>The same from wherever the segment lies.</summary>
    internal static Task<(SegmentFooter Footer, long Start)> ReadFooterAsync(
        IObjectStore store, RepositorySeal? seal, FrameName segment, long length, CancellationToken cancel) =>
        seal is null
            ? TailDirectory.ReadAsync(store, segment.Key, length, RepositoryJson.Default.SegmentFooter, cancel)
            : SealedFooter.ReadAsync(store, seal, segment, length, cancel);

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
            var (footer, start) = await ReadFooterAsync(repository, new FrameName(point, by, number, 0, 0), stored.Length, cancel);
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

    private static ReadOnlyMemory<byte> Tail(SegmentFooter footer)
    {
        var tail = new ArrayBufferWriter<byte>();
        TailDirectory.Write(tail, footer, RepositoryJson.Default.SegmentFooter);
        return tail.WrittenMemory;
    }

    private static StoredSegment Stored(SegmentFooter footer, long length) =>
        new(footer.Segment, footer.Attempt, length, footer.Frames, footer.DataBytes, footer.ZeroBytes);
}
