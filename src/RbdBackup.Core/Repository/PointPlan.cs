using System.Buffers;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>How a stream is cut. Limits count plain bytes of the image, so that cuts do not hang on compression.</summary>
/// <param name="SegmentBytes">The image data in a segment, at most, in bytes.</param>
/// <param name="FrameBytes">The image data in a frame, at most, in bytes.</param>
/// <param name="ZeroRunMin">The least run of zeros inside an extent that becomes a <c>z</c> record, in bytes; a multiple of 4096.</param>
public sealed record CutParameters(int SegmentBytes, int FrameBytes, int ZeroRunMin)
{
    /// <summary>The extents in a frame, at most.</summary>
    public const int FrameExtents = 2048;
}

/// <summary>The part of a plan that is JSON.</summary>
public sealed record PlanHead
{
    /// <summary>The version of the format.</summary>
    public required int Format { get; init; }

    /// <summary>The point.</summary>
    public required PointId Point { get; init; }

    /// <summary>The image.</summary>
    public required DiskIdentity Disk { get; init; }

    /// <summary>The snapshot that is read.</summary>
    public required PointSnapshot Snapshot { get; init; }

    /// <summary>When the snapshot was taken.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Full or increment.</summary>
    public required PointKind Kind { get; init; }

    /// <summary>Why.</summary>
    public required string Reason { get; init; }

    /// <summary>What it stands on; null for a full.</summary>
    public PointBase? Base { get; init; }

    /// <summary>The image's size at the snapshot, in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>How the stream is cut.</summary>
    public required CutParameters Cut { get; init; }

    /// <summary>The frames' compression.</summary>
    public required string Codec { get; init; }

    /// <summary>The program that planned.</summary>
    public required string Tool { get; init; }

    /// <summary>What the cross-check of the object maps found; null where there was none.</summary>
    public CrossCheck? CrossCheck { get; init; }

    /// <summary>Where the extents are, in pages of the same object.</summary>
    [JsonRequired]
    public IReadOnlyList<Page> Pages { get; init; } = [];
}

/// <summary>
/// What a job will export, written before the first segment, so that a job that starts again goes on without planning again. The extents are in
/// ascending order and do not overlap.
/// </summary>
public sealed record PointPlan(PlanHead Head, IReadOnlyList<Extent> Extents)
{
    /// <summary>The bytes of the plan object.</summary>
    public ReadOnlySequence<byte> Write(IFrameCodec codec)
    {
        var output = new ArrayBufferWriter<byte>();
        var pages = new List<Page>();
        var plain = new ArrayBufferWriter<byte>();
        foreach (var chunk in Extents.Chunk(Pages.MaxEntries))
        {
            plain.ResetWrittenCount();
            Varint.WriteExtents(plain, chunk, chunk[0].Offset);
            pages.Add(Pages.Append(output, output.WrittenCount, plain.WrittenSpan, chunk.Length, chunk[0].Offset, chunk[^1].End, codec));
        }

        TailDirectory.Write(output, Head with { Pages = pages }, RepositoryJson.Default.PlanHead);
        return new ReadOnlySequence<byte>(output.WrittenMemory);
    }

    /// <summary>Reads a plan.</summary>
    /// <exception cref="RbdBackupException">NotFound; Corrupt; Unsupported: a newer format.</exception>
    public static async Task<PointPlan> ReadAsync(IObjectStore store, StoredObject plan, IFrameCodec codec, CancellationToken cancel)
    {
        var (head, _) = await TailDirectory.ReadAsync(store, plan.Key, plan.Length, RepositoryJson.Default.PlanHead, cancel);
        RepositoryFormat.Require(head.Format, [], plan.Key);
        var extents = new List<Extent>();
        foreach (var page in head.Pages)
        {
            ReadOnlySpan<byte> plain = await Pages.ReadAsync(store, plan.Key, page, codec, cancel);
            if (!Varint.TryReadExtents(ref plain, page.Count, extents, page.Start) || !plain.IsEmpty || extents[^1].End != page.End)
            {
                throw RepositoryFormat.Corrupt(plan.Key, $"has a page at byte {page.Offset} that is no list of extents");
            }
        }

        return new PointPlan(head with { Pages = [] }, extents);
    }
}
