using System.Buffers;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>Where a frame is in its segment.</summary>
/// <param name="Offset">Where its header starts, in bytes.</param>
/// <param name="Length">Header and zstd frame, in bytes.</param>
public sealed record FrameLocation(long Offset, int Length);

/// <summary>A segment's description of itself, at its end.</summary>
public sealed record SegmentFooter
{
    /// <summary>The version of the format.</summary>
    public required int Format { get; init; }

    /// <summary>The point.</summary>
    public required PointId Point { get; init; }

    /// <summary>The attempt that wrote it.</summary>
    public required AttemptId Attempt { get; init; }

    /// <summary>The SHA-256 of the plan that it was cut by, in hexadecimal.</summary>
    public required string Plan { get; init; }

    /// <summary>Its number, from 0.</summary>
    public required int Segment { get; init; }

    /// <summary>True for the one that closes the stream.</summary>
    public required bool Last { get; init; }

    /// <summary>The frames' compression.</summary>
    public required string Codec { get; init; }

    /// <summary>The key that seals the frames; null: not sealed.</summary>
    public string? KeyId { get; init; }

    /// <summary>The frames, in order.</summary>
    public required IReadOnlyList<FrameLocation> Frames { get; init; }

    /// <summary>The bytes in its <c>w</c> records.</summary>
    public required long DataBytes { get; init; }

    /// <summary>The bytes in its <c>z</c> records.</summary>
    public required long ZeroBytes { get; init; }
}

/// <summary>A segment that is in the store.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Attempt">The attempt that wrote it.</param>
/// <param name="Length">Its length, in bytes.</param>
/// <param name="Frames">Where its frames are.</param>
/// <param name="DataBytes">The bytes in its <c>w</c> records.</param>
/// <param name="ZeroBytes">The bytes in its <c>z</c> records.</param>
public sealed record StoredSegment(
    int Number, AttemptId Attempt, long Length, IReadOnlyList<FrameLocation> Frames, long DataBytes, long ZeroBytes);

/// <summary>A sequence over several pieces of memory, so that a segment is stored without being put together first.</summary>
internal sealed class MemoryPieces : ReadOnlySequenceSegment<byte>
{
    private MemoryPieces(ReadOnlyMemory<byte> memory, long runningIndex) => (Memory, RunningIndex) = (memory, runningIndex);

    public static ReadOnlySequence<byte> Join(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        MemoryPieces? first = null, last = null;
        foreach (var piece in pieces.Where(p => !p.IsEmpty))
        {
            var next = new MemoryPieces(piece, last is null ? 0 : last.RunningIndex + last.Memory.Length);
            first ??= next;
            last?.Next = next;
            last = next;
        }

        return first is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(first, 0, last!, last!.Memory.Length);
    }
}
