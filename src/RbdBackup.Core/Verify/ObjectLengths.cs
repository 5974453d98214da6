using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Verify;

/// <summary>Which objects are in a store, and how long they are: listed point by point, when a point is first asked for. Not for use by several at a time.</summary>
internal sealed class ObjectLengths(IObjectStore store)
{
    private readonly Dictionary<PointId, Point> _points = [];

    /// <summary>An object's length, in bytes; null where it is not there.</summary>
    public async Task<long?> FindAsync(string key, CancellationToken cancel)
    {
        if (Keys.PointOfData(key) is not { } point)
        {
            return (await store.StatAsync(key, cancel))?.Length;
        }

        var known = await OfAsync(point, cancel);
        return Keys.TryParseSegment(key) is { } segment
            ? known.Segments.TryGetValue(segment.Attempt, out var numbers) && numbers.TryGetValue(segment.Number, out var length) ? length : null
            : known.Others.TryGetValue(key, out var other) ? other : null;
    }

    /// <summary>The length of a frame's segment; null where it is not there.</summary>
    public async Task<long?> FindAsync(FrameName frame, CancellationToken cancel) =>
        (await OfAsync(frame.Point, cancel)).Segments.TryGetValue(frame.Attempt, out var numbers) && numbers.TryGetValue(frame.Segment, out var length) ? length : null;

    /// <summary>The wraps of an attempt's key that are there; they need not open.</summary>
    public async Task<IEnumerable<string>> FindWrapsAsync(PointId point, AttemptId attempt, CancellationToken cancel) => (await OfAsync(point, cancel)).Wraps[attempt];

    /// <summary>Forgets all that was listed.</summary>
    public void Clear() => _points.Clear();

    private async Task<Point> OfAsync(PointId point, CancellationToken cancel)
    {
        if (_points.TryGetValue(point, out var known))
        {
            return known;
        }

        var (listed, wraps) = (new Point([], []), new List<(AttemptId Attempt, string Key)>());
        await foreach (var stored in store.ListAsync(Keys.PointData(point), cancel))
        {
            if (Keys.TryParseSegment(stored.Key) is { } segment)
            {
                if (!listed.Segments.TryGetValue(segment.Attempt, out var numbers))
                {
                    listed.Segments[segment.Attempt] = numbers = [];
                }

                numbers[segment.Number] = stored.Length;
            }
            else
            {
                listed.Others[stored.Key] = stored.Length;
                wraps.AddRange(Keys.TryParseWrap(stored.Key) is { } wrap ? [(wrap.Attempt, stored.Key)] : []);
            }
        }

        return _points[point] = listed with { Wraps = wraps.ToLookup(w => w.Attempt, w => w.Key) };
    }

    private sealed record Point(Dictionary<AttemptId, Dictionary<int, long>> Segments, Dictionary<string, long> Others)
    {
        public ILookup<AttemptId, string> Wraps { get; init; } = Enumerable.Empty<string>().ToLookup(_ => default(AttemptId));
    }
}
