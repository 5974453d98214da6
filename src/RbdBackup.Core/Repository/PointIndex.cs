using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>Where a range of an image is stored.</summary>
/// <param name="Offset">Where it starts in the image, in bytes.</param>
/// <param name="Length">How long it is, in bytes.</param>
/// <param name="Frame">The frame that holds it; null for zeros, which need none.</param>
public sealed record IndexEntry(long Offset, long Length, FrameAddress? Frame)
{
    /// <summary>The first byte behind it.</summary>
    public long End => Offset + Length;
}

/// <summary>A frame, wherever it is: a point's own or another's.</summary>
/// <param name="Run">Which of the index's segment runs.</param>
/// <param name="Segment">The segment's number.</param>
/// <param name="Offset">Where its header starts in the segment, in bytes.</param>
/// <param name="Length">Header and zstd frame, in bytes.</param>
public readonly record struct FrameAddress(int Run, int Segment, long Offset, int Length);

/// <summary>The end of an index: which segments it names, and its pages.</summary>
/// <param name="Format">The version of the format.</param>
/// <param name="Point">The point.</param>
/// <param name="Segments">The segments that entries name by run and number.</param>
/// <param name="Pages">The pages, in order.</param>
public sealed record IndexDirectory(int Format, PointId Point, IReadOnlyList<SegmentRun> Segments, IReadOnlyList<Page> Pages);

/// <summary>Writes and reads a point's index: image ranges in ascending order, and the frames that hold them.</summary>
public static class PointIndex
{
    /// <summary>The runs of consecutive segments of one attempt.</summary>
    public static IReadOnlyList<SegmentRun> Runs(PointId point, IEnumerable<StoredSegment> segments)
    {
        var runs = new List<SegmentRun>();
        foreach (var s in segments)
        {
            var live = s.Frames.Sum(f => (long)f.Length);
            if (runs.Count > 0 && runs[^1] is var last && last.Attempt == s.Attempt && last.Last == s.Number - 1)
            {
                runs[^1] = last with { Last = s.Number, LiveBytes = last.LiveBytes + live };
            }
            else
            {
                runs.Add(new SegmentRun(point, s.Attempt, s.Number, s.Number, live));
            }
        }

        return runs;
    }

    /// <summary>The entries of a point's own segments, by the cuts that made them.</summary>
    public static IEnumerable<IndexEntry> Entries(IEnumerable<SegmentPlan> cuts, IReadOnlyList<StoredSegment> segments, IReadOnlyList<SegmentRun> runs)
    {
        var run = 0;
        foreach (var cut in cuts)
        {
            run += cut.Number > runs[run].Last ? 1 : 0;
            foreach (var frame in cut.Frames)
            {
                var at = segments[cut.Number].Frames[frame.Number];
                foreach (var entry in Merge(frame.Extents, new FrameAddress(run, cut.Number, at.Offset, at.Length)))
                {
                    yield return entry;
                }
            }
        }
    }

    /// <summary>The bytes of the index object.</summary>
    public static ReadOnlySequence<byte> Write(PointId point, IReadOnlyList<SegmentRun> runs, IEnumerable<IndexEntry> entries, IFrameCodec codec)
    {
        var output = new ArrayBufferWriter<byte>();
        var pages = new List<Page>();
        var plain = new ArrayBufferWriter<byte>();
        foreach (var chunk in entries.Chunk(Pages.MaxEntries))
        {
            plain.ResetWrittenCount();
            WriteEntries(plain, chunk);
            pages.Add(Pages.Append(output, output.WrittenCount, plain.WrittenSpan, chunk.Length, chunk[0].Offset, chunk[^1].End, codec));
        }

        TailDirectory.Write(output, new IndexDirectory(RepositoryFormat.Version, point, runs, pages), RepositoryJson.Default.IndexDirectory);
        return new ReadOnlySequence<byte>(output.WrittenMemory);
    }

    /// <summary>The entries of one page.</summary>
    /// <exception cref="RbdBackupException">NotFound; Corrupt.</exception>
    public static async Task<IReadOnlyList<IndexEntry>> ReadPageAsync(
        IObjectStore store, string key, IndexDirectory directory, Page page, IFrameCodec codec, CancellationToken cancel)
    {
        var entries = new List<IndexEntry>(page.Count);
        if (!TryReadEntries(await Pages.ReadAsync(store, key, page, codec, cancel), page, directory.Segments.Count, entries))
        {
            throw RepositoryFormat.Corrupt(key, $"has a page at byte {page.Offset} that is no part of an index");
        }

        return entries;
    }

    private static IEnumerable<IndexEntry> Merge(IReadOnlyList<Extent> extents, FrameAddress frame)
    {
        for (var i = 0; i < extents.Count;)
        {
            var (start, end) = (i, extents[i].End);
            while (++i < extents.Count && extents[i].Offset == end && extents[i].Exists == extents[start].Exists)
            {
                end = extents[i].End;
            }

            yield return new IndexEntry(extents[start].Offset, end - extents[start].Offset, extents[start].Exists ? frame : null);
        }
    }

    // An entry: gap to the one before, length*4 + kind (0 zeros, 1 the frame of the entry before, 2 another frame: run, segment, offset, length follow).
    private static void WriteEntries(IBufferWriter<byte> output, IndexEntry[] entries)
    {
        var from = entries[0].Offset;
        FrameAddress? before = null;
        foreach (var entry in entries)
        {
            Varint.Write(output, entry.Offset - from);
            Varint.Write(output, (entry.Length << 2) | (entry.Frame is null ? 0L : entry.Frame == before ? 1L : 2L));
            from = entry.End;
            if (entry.Frame is { } frame && frame != before)
            {
                Varint.Write(output, frame.Run);
                Varint.Write(output, frame.Segment);
                Varint.Write(output, frame.Offset);
                Varint.Write(output, frame.Length);
                before = frame;
            }
        }
    }

    private static bool TryReadEntries(ReadOnlySpan<byte> plain, Page page, int runs, List<IndexEntry> entries)
    {
        var from = page.Start;
        FrameAddress? frame = null;
        while (entries.Count < page.Count)
        {
            if (!Varint.TryRead(ref plain, out var gap) || !Varint.TryRead(ref plain, out var packed) || packed < 4
                || gap > page.End - from || packed >> 2 > page.End - from - gap || ((packed & 3) == 2 && !TryReadFrame(ref plain, runs, out frame)))
            {
                return false;
            }

            var kind = packed & 3;
            if (kind == 3 || (kind != 0 && frame is null))
            {
                return false;
            }

            entries.Add(new IndexEntry(from + gap, packed >> 2, kind == 0 ? null : frame));
            from = entries[^1].End;
        }

        return plain.IsEmpty && from == page.End;
    }

    private static bool TryReadFrame(ref ReadOnlySpan<byte> plain, int runs, out FrameAddress? frame)
    {
        var good = Varint.TryRead(ref plain, out var run) & Varint.TryRead(ref plain, out var segment)
            & Varint.TryRead(ref plain, out var offset) & Varint.TryRead(ref plain, out var length);
        good = good && run < runs && segment <= int.MaxValue && length is > 0 and <= int.MaxValue;
        frame = good ? new FrameAddress((int)run, (int)segment, offset, (int)length) : null;
        return good;
    }
}
