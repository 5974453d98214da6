using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Verify;

/// <summary>
/// A point's own segments, one after the other: each footer, and each frame, proven against the plan by which they were cut. What they hold comes out as an
/// index would name it, to be compared with the index. Memory: a segment's pieces.
/// </summary>
internal sealed class OwnStream
{
    private readonly PointRepository _repository;
    private readonly Manifest _point;
    private readonly IReadOnlyList<SegmentRun> _runs;
    private readonly ObjectLengths _lengths;
    private readonly FrameProver _frames;
    private readonly Findings _findings;
    private readonly int _parallel;
    private readonly IEnumerator<SegmentPlan> _cuts;
    private readonly Queue<Piece> _pieces = new();
    private long _end;
    private int _segments;
    private (long Stored, long Data, long Zero) _sums;

    /// <summary>The stream of a point.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="point">The point.</param>
    /// <param name="plan">Its plan.</param>
    /// <param name="runs">The runs of its references that are its own.</param>
    /// <param name="lengths">Knows how long objects are.</param>
    /// <param name="frames">Proves frames.</param>
    /// <param name="findings">Told of what is wrong.</param>
    /// <param name="parallel">The frames that are fetched at a time.</param>
    public OwnStream(
        PointRepository repository, Manifest point, PointPlan plan, IReadOnlyList<SegmentRun> runs, ObjectLengths lengths, FrameProver frames, Findings findings, int parallel)
    {
        (_repository, _point, _runs, _lengths, _frames, _findings, _parallel) = (repository, point, runs, lengths, frames, findings, parallel);
        _cuts = Cutter.Cut(plan.Extents, plan.Head.Cut).GetEnumerator();
    }

    /// <summary>False once a segment could not be read, or is not cut by this plan: then what comes out is not all.</summary>
    public bool Whole { get; private set; } = true;

    /// <summary>What the segments hold between two bytes of the image, zeros too; each call starts where the one before ended.</summary>
    public async Task<List<Piece>> ReadAsync(long start, long end, CancellationToken cancel)
    {
        while (_end < end && _cuts.MoveNext())
        {
            await CheckAsync(_cuts.Current, cancel);
        }

        var pieces = new List<Piece>();
        while (_pieces.TryPeek(out var next) && next.Offset < end)
        {
            pieces.Add(next.Clip(start, end));
            if (next.End > end)
            {
                break;
            }

            _pieces.Dequeue();
        }

        return pieces;
    }

    /// <summary>Checks the segments that are left, and what the manifest says of all of them.</summary>
    public async Task FinishAsync(CancellationToken cancel)
    {
        while (_cuts.MoveNext())
        {
            await CheckAsync(_cuts.Current, cancel);
            _pieces.Clear();
        }

        Agree(_segments == _point.Segments, $"says {_point.Segments} segments, the plan gives {_segments}");
        if (Whole)
        {
            Agree(_sums == (_point.StoredBytes, _point.DataBytes, _point.ZeroBytes),
                $"says {_point.StoredBytes} bytes stored, {_point.DataBytes} of data, {_point.ZeroBytes} of zeros; its segments have {_sums.Stored}, {_sums.Data}, {_sums.Zero}");
        }

        void Agree(bool good, string what)
        {
            if (!good)
            {
                _findings.Add(_point.Key, what);
            }
        }
    }

    private async Task CheckAsync(SegmentPlan cut, CancellationToken cancel)
    {
        _segments++;
        var last = cut.Frames[^1].Extents;
        _end = cut.Last ? long.MaxValue : last[^1].End;
        var run = _runs.FirstOrDefault(r => cut.Number >= r.First && cut.Number <= r.Last);
        var key = run is null ? "" : Keys.Segment(_point.Point, cut.Number, run.Attempt);

        // One that is not there was reported when the references were looked through.
        if (run is null || await _lengths.FindAsync(key, cancel) is not { } length)
        {
            Whole = false;
            return;
        }

        SegmentFooter? footer = null;
        await _findings.TryAsync(key, async () => footer = await ReadFooterAsync(key, length, cut, run.Attempt, cancel));
        if (footer is null || footer.Plan != _point.Plan.Sha256 || footer.Frames.Count != cut.Frames.Count)
        {
            Whole = false;
            return;
        }

        var proofs = new FrameProof[footer.Frames.Count];
        await Parallel.ForEachAsync(
            footer.Frames.Index(), new ParallelOptions { MaxDegreeOfParallelism = _parallel, CancellationToken = cancel },
            async (frame, ct) => proofs[frame.Index] = await ProveAsync(new FrameName(_point.Point, run.Attempt, cut.Number, frame.Item.Offset, frame.Item.Length), cut, frame.Index, ct));
        var sums = (Stored: length, Data: proofs.Sum(p => p.DataBytes), Zero: proofs.Sum(p => p.ZeroBytes));
        if (proofs.All(p => p.Failure is null) && (sums.Data, sums.Zero) != (footer.DataBytes, footer.ZeroBytes))
        {
            _findings.Add(key, $"says {footer.DataBytes} bytes of data and {footer.ZeroBytes} of zeros, and has {sums.Data} and {sums.Zero}");
        }

        Whole &= proofs.All(p => p.Failure is null);
        _sums = (_sums.Stored + sums.Stored, _sums.Data + sums.Data, _sums.Zero + sums.Zero);
        Name(cut, footer);
    }

    private async Task<SegmentFooter> ReadFooterAsync(string key, long length, SegmentPlan cut, AttemptId attempt, CancellationToken cancel)
    {
        var (footer, start) = await SegmentStore.ReadFooterAsync(_repository, new FrameName(_point.Point, attempt, cut.Number, 0, 1), length, cancel);
        var next = 0L;
        foreach (var frame in footer.Frames)
        {
            next = frame.Offset == next && frame.Length > 0 ? next + frame.Length : long.MinValue;
        }

        return footer.Point == _point.Point && footer.Attempt == attempt && footer.Segment == cut.Number && footer.Last == cut.Last && next == start
            ? footer
            : throw RepositoryFormat.Corrupt(key, "has a footer that does not describe it");
    }

    private async Task<FrameProof> ProveAsync(FrameName name, SegmentPlan cut, int number, CancellationToken cancel)
    {
        var proof = await _frames.ProveAsync(name, cancel);
        var why = proof.Failure
            ?? (proof.Number != number ? $"has frame {proof.Number} in the place of frame {number}"
                : proof.End != (cut.Last && number == cut.Frames.Count - 1) ? "ends the stream in another place than its plan"
                : !proof.Extents.SequenceEqual(FrameProver.Join(cut.Frames[number].Extents)) ? $"has a frame (number {number}) of other extents than its plan says"
                : null);
        if (why is not null)
        {
            _findings.Add(name.Key, why);
        }

        return proof;
    }

    private void Name(SegmentPlan cut, SegmentFooter footer)
    {
        foreach (var frame in cut.Frames)
        {
            var at = footer.Frames[frame.Number];
            var name = new FrameName(_point.Point, footer.Attempt, cut.Number, at.Offset, at.Length);
            foreach (var extent in FrameProver.Join(frame.Extents))
            {
                _pieces.Enqueue(new Piece(extent.Offset, extent.Length, extent.Exists ? name : null));
            }
        }
    }
}
