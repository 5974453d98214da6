using System.Buffers;
using System.Security.Cryptography;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Copy;

/// <summary>
/// Copies single objects, proven before they are stored: damage does not travel. Of a sealed repository segments go as they are; all other objects are opened, and
/// sealed again by the store that takes them. Memory: the object, which a segment's size bounds, and of a sealed one a frame.
/// </summary>
internal sealed class ObjectCopier(PointRepository source, IObjectStore target)
{
    private const int Part = 8 << 20;

    /// <summary>Copies an object; <paramref name="expected"/> is its digest where a manifest knows it.</summary>
    /// <exception cref="RbdBackupException">NotFound; Corrupt: it is damaged, and was not copied.</exception>
    public async Task CopyAsync(string key, long length, string? expected, CancellationToken cancel)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(checked((int)length));
        try
        {
            var content = buffer.AsMemory(0, (int)length);
            for (var at = 0; at < length; at += Part)
            {
                await source.Store.GetRangeAsync(key, at, content.Slice(at, (int)Math.Min(Part, length - at)), cancel);
            }

            if (expected is not null && Convert.ToHexStringLower(SHA256.HashData(content.Span)) != expected)
            {
                throw RepositoryFormat.Corrupt(key, "does not match the digest in its manifest");
            }

            if (Keys.PointOfData(key) is { } point && Keys.TryParseSegment(key) is { } segment)
            {
                await ProveAsync(key, content, point, segment.Number, segment.Attempt, cancel);
            }

            await target.PutAsync(key, new ReadOnlySequence<byte>(content), cancel);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>A segment proves itself: its footer names it, its frames tile it, each has its hash, and opens where it is sealed.</summary>
    private async Task ProveAsync(string key, Memory<byte> content, PointId point, int number, AttemptId attempt, CancellationToken cancel)
    {
        await using var held = new HeldObject(key, content);
        var (footer, start) = await SegmentStore.ReadFooterAsync(held, source.Seal, new FrameName(point, attempt, number, 0, 0), content.Length, cancel);
        var at = 0L;
        foreach (var (n, location) in footer.Frames.Index())
        {
            var stored = location.Offset >= 0 && location.Length > 0 && location.Offset <= start - location.Length
                ? content.Slice((int)location.Offset, location.Length)
                : throw RepositoryFormat.Corrupt(key, "has a footer that does not describe it");
            var found = await ProveAsync(new FrameName(point, attempt, number, location.Offset, location.Length), stored, cancel);
            at = location.Offset == at && found == n ? at + location.Length : long.MinValue;
        }

        if (footer.Point != point || footer.Attempt != attempt || footer.Segment != number || at != start)
        {
            throw RepositoryFormat.Corrupt(key, "has a footer that does not describe it");
        }
    }

    /// <summary>The number that a frame says it has.</summary>
    private async Task<int> ProveAsync(FrameName name, ReadOnlyMemory<byte> stored, CancellationToken cancel)
    {
        if (source.Seal is null)
        {
            using var plain = DecodedFrame.Decode(stored.Span, source.Codec, name.Key, name.Point, name.Segment, FrameSource.MaxFrame);
            return plain.Header.Number;
        }

        // A frame opens where it lies, and the sealed one is what goes.
        var buffer = ArrayPool<byte>.Shared.Rent(stored.Length);
        try
        {
            stored.CopyTo(buffer);
            var opened = await source.Seal.OpenFrameAsync(name, buffer.AsMemory(0, stored.Length), cancel);
            using var frame = DecodedFrame.Decode(opened.Span, source.Codec, name.Key, name.Point, name.Segment, FrameSource.MaxFrame);
            return frame.Header.Number;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>An object in memory, to be read as one in a store.</summary>
    private sealed class HeldObject(string key, Memory<byte> content) : IObjectStore
    {
        public string Url => "memory:";

        public Task CheckAsync(CancellationToken cancel) => Task.CompletedTask;

        public Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel) => throw new NotSupportedException();

        public Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel) => throw new NotSupportedException();

        public Task GetRangeAsync(string wanted, long offset, Memory<byte> destination, CancellationToken cancel)
        {
            if (wanted != key || offset < 0 || offset > content.Length - destination.Length)
            {
                throw RepositoryFormat.Corrupt(wanted, $"ends before byte {offset + destination.Length}");
            }

            content.Slice((int)offset, destination.Length).CopyTo(destination);
            return Task.CompletedTask;
        }

        public Task<StoredObject?> StatAsync(string key, CancellationToken cancel) => throw new NotSupportedException();

        public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancel) => throw new NotSupportedException();

        public Task DeleteAsync(string key, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
