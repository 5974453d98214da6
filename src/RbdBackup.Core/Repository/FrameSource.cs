using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>Fetches and proves frames. May be used by many at a time.</summary>
public sealed class FrameSource(IObjectStore store, IFrameCodec codec)
{
    /// <summary>The longest frame to accept, in bytes, stored or plain; whatever an index claims.</summary>
    public const int MaxFrame = 256 << 20;

    /// <summary>The frame at an address.</summary>
    /// <exception cref="RbdBackupException">NotFound; Corrupt: damaged, or not what the index says.</exception>
    public async Task<DecodedFrame> FetchAsync(SegmentRun run, FrameAddress address, CancellationToken cancel)
    {
        var key = Keys.Segment(run.Point, address.Segment, run.Attempt);
        if (address.Offset < 0 || address.Length is <= 0 or > MaxFrame || address.Segment < run.First || address.Segment > run.Last)
        {
            throw RepositoryFormat.Corrupt(key, "is named by an index that makes no sense");
        }

        var stored = ArrayPool<byte>.Shared.Rent(address.Length);
        try
        {
            await store.GetRangeAsync(key, address.Offset, stored.AsMemory(0, address.Length), cancel);
            return DecodedFrame.Decode(stored.AsSpan(0, address.Length), codec, key, run.Point, address.Segment, MaxFrame);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(stored);
        }
    }
}
