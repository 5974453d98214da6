using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>
/// Counts which segments an image's pieces need, and how many of their bytes: a frame counts whole, once, when any piece names it. The pieces come in
/// ascending order; since a point's stream ascends too, each writer's frames are met in their order, so that the last one of each is all that is remembered.
/// </summary>
internal sealed class ReferenceCounter
{
    // A list of runs is one JSON object; past this, near runs are joined, and the segments between them stay a little longer than needed.
    private const int MaxRuns = 50_000;

    private readonly Dictionary<(PointId Point, AttemptId Attempt), Writer> _writers = [];
    private (FrameName? Frame, Writer? Writer) _last;

    /// <summary>Counts pieces.</summary>
    public void Add(IEnumerable<Piece> pieces)
    {
        foreach (var frame in pieces.Select(p => p.Frame).OfType<FrameName>())
        {
            if (!ReferenceEquals(frame, _last.Frame))
            {
                var writer = _last.Frame is { } last && last.Point == frame.Point && last.Attempt == frame.Attempt ? _last.Writer! : Of(frame.Point, frame.Attempt);
                writer.Add(frame);
                _last = (frame, writer);
            }
        }
    }

    /// <summary>The runs of segments, and those of <paramref name="own"/>, which stay whole: the point's own stream.</summary>
    public IReadOnlyList<SegmentRun> Runs(IEnumerable<SegmentRun> own)
    {
        var whole = own.ToList();
        foreach (var run in whole)
        {
            Of(run.Point, run.Attempt).Keep(run);
        }

        return Join([.. _writers.OrderBy(w => w.Key.Point).ThenBy(w => w.Key.Attempt.Value).SelectMany(w => w.Value.Runs(w.Key.Point, w.Key.Attempt))]);
    }

    private static List<SegmentRun> Join(List<SegmentRun> runs)
    {
        for (var gap = 1L; runs.Count > MaxRuns; gap *= 2)
        {
            var joined = new List<SegmentRun>();
            foreach (var run in runs)
            {
                if (joined.Count > 0 && joined[^1] is var last && last.Point == run.Point && last.Attempt == run.Attempt && run.First - last.Last - 1L <= gap)
                {
                    joined[^1] = last with { Last = run.Last, LiveBytes = last.LiveBytes + run.LiveBytes };
                }
                else
                {
                    joined.Add(run);
                }
            }

            // Runs of as many points can't be joined.
            if (joined.Count == runs.Count && gap > int.MaxValue)
            {
                break;
            }

            runs = joined;
        }

        return runs;
    }

    private Writer Of(PointId point, AttemptId attempt)
    {
        if (!_writers.TryGetValue((point, attempt), out var writer))
        {
            _writers[(point, attempt)] = writer = new Writer();
        }

        return writer;
    }

    private sealed class Writer
    {
        private readonly List<(int First, int Last, long Live)> _runs = [];
        private (int Segment, long Offset) _last = (-1, -1);

        public void Add(FrameName frame)
        {
            if ((frame.Segment, frame.Offset) == _last)
            {
                return;
            }

            _last = (frame.Segment, frame.Offset);
            if (_runs.Count > 0 && _runs[^1] is var run && (run.Last == frame.Segment || run.Last == frame.Segment - 1))
            {
                _runs[^1] = (run.First, frame.Segment, run.Live + frame.Length);
            }
            else
            {
                _runs.Add((frame.Segment, frame.Segment, frame.Length));
            }
        }

        public void Keep(SegmentRun run) => _runs.Add((run.First, run.Last, 0));

        public List<SegmentRun> Runs(PointId point, AttemptId attempt)
        {
            var merged = new List<SegmentRun>();
            foreach (var (first, last, live) in _runs.OrderBy(r => r.First))
            {
                if (merged.Count > 0 && first <= merged[^1].Last + 1)
                {
                    merged[^1] = merged[^1] with { Last = Math.Max(last, merged[^1].Last), LiveBytes = merged[^1].LiveBytes + live };
                }
                else
                {
                    merged.Add(new SegmentRun(point, attempt, first, last, live));
                }
            }

            return merged;
        }
    }
}
