using System.Buffers;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>Fetches and proves frames. May be used by many at a time.</summary>
public sealed class FrameSource(PointRepository repository)
{
    /// <summary>The longest frame to accept, in bytes, stored or plain; whatever an index claims.</summary>
    public const int MaxFrame = 256 << 20;

    /// <summary>The frame of a name.</summary>
    /// <exception cref="RbdBackupException">NotFound; Corrupt: damaged, or not what the index says.</exception>
    public async Task<DecodedFrame> FetchAsync(FrameName frame, CancellationToken cancel)
    {
        if (frame.Offset < 0 || frame.Length is <= 0 or > MaxFrame)
        {
            throw RepositoryFormat.Corrupt(frame.Key, "is named by an index that makes no sense");
        }

        var stored = ArrayPool<byte>.Shared.Rent(frame.Length);
        try
        {
            var bytes = stored.AsMemory(0, frame.Length);
            await repository.Store.GetRangeAsync(frame.Key, frame.Offset, bytes, cancel);
            bytes = repository.Seal is { } seal ? await seal.OpenFrameAsync(frame, bytes, cancel) : bytes;
            return DecodedFrame.Decode(bytes.Span, repository.Codec, frame.Key, frame.Point, frame.Segment, MaxFrame);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(stored);
        }
    }
}
