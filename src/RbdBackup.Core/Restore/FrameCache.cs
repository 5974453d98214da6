using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Restore;

/// <summary>The frames that were used last, decompressed: those of an increment lie across those of its full, and some are needed again a little later.</summary>
internal sealed class FrameCache(FrameSource source, int capacity) : IDisposable
{
    private readonly Dictionary<FrameName, LinkedListNode<(FrameName Name, DecodedFrame Frame)>> _known = [];
    private readonly LinkedList<(FrameName Name, DecodedFrame Frame)> _byUse = [];

    /// <summary>The frame; it is the cache's, and good until the next call.</summary>
    public async Task<DecodedFrame> GetAsync(FrameName name, CancellationToken cancel)
    {
        if (_known.TryGetValue(name, out var node))
        {
            _byUse.Remove(node);
            _byUse.AddFirst(node);
            return node.Value.Frame;
        }

        if (_byUse.Count == capacity)
        {
            Drop(_byUse.Last!);
        }

        var frame = await source.FetchAsync(name, cancel);
        _known[name] = _byUse.AddFirst((name, frame));
        return frame;
    }

    public void Dispose()
    {
        while (_byUse.Last is { } last)
        {
            Drop(last);
        }
    }

    private void Drop(LinkedListNode<(FrameName Name, DecodedFrame Frame)> node)
    {
        _byUse.Remove(node);
        _known.Remove(node.Value.Name);
        node.Value.Frame.Dispose();
    }
}
