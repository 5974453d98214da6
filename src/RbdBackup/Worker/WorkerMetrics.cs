using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using RbdBackup.Core.Model;
using RbdBackup.Core.Release;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;

namespace RbdBackup.Worker;

/// <summary>What the worker measures; the age of each disk's last good point is the one to alarm on.</summary>
internal sealed class WorkerMetrics : IDisposable
{
    private readonly Meter _meter = new("RbdBackup");
    private readonly ConcurrentDictionary<string, (Manifest Point, KeyValuePair<string, object?>[] Tags)> _last = new();
    private readonly Counter<long> _backups;
    private readonly Counter<long> _stored;
    private readonly Counter<long> _data;
    private readonly Counter<long> _crossChecks;
    private readonly Histogram<double> _release;
    private readonly Histogram<double> _lag;
    private readonly Counter<long> _swept;
    private readonly ConcurrentDictionary<string, (DateTimeOffset At, KeyValuePair<string, object?>[] Tags)> _verified = new();
    private Dictionary<(string Result, string Kind), long> _points = [];
    private int _running;
    private int _oldDisks;

    public WorkerMetrics(TimeProvider time)
    {
        _backups = _meter.CreateCounter<long>("rbdbackup.backups", "{backup}", "Backups that ended, by result.");
        _stored = _meter.CreateCounter<long>("rbdbackup.stored", "By", "Bytes put into the store.");
        _data = _meter.CreateCounter<long>("rbdbackup.data", "By", "Bytes of changed data found.");
        _crossChecks = _meter.CreateCounter<long>("rbdbackup.crosschecks", "{increment}", "Comparisons of object maps with the fine diff, by result.");
        _release = _meter.CreateHistogram<double>("rbdbackup.release.duration", "s", "From a release's message taken to our snapshots gone.");
        _lag = _meter.CreateHistogram(
            "rbdbackup.release.lag", "s", "From a release's message sent, by its own time, to our snapshots gone.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 600, 3600] });
        _swept = _meter.CreateCounter<long>("rbdbackup.swept", "{image}", "Images that a sweep found to be kept by our snapshots alone, by what became of them.");
        _meter.CreateObservableGauge(
            "rbdbackup.rebuilt.old_disk", () => Volatile.Read(ref _oldDisks), "{server}", "Servers that were rebuilt and have their old disk nevertheless.");
        _meter.CreateObservableGauge("rbdbackup.jobs.running", () => Volatile.Read(ref _running), "{job}", "Jobs that run in this worker.");
        _meter.CreateObservableGauge(
            "rbdbackup.point.age", () => _last.Values.Select(l => new Measurement<double>((time.GetUtcNow() - l.Point.Created).TotalSeconds, l.Tags)),
            "s", "The age of a disk's last good point.");
        _meter.CreateObservableGauge(
            "rbdbackup.points", () => Volatile.Read(ref _points).Select(p => new Measurement<long>(p.Value, new("verified", p.Key.Result), new KeyValuePair<string, object?>("kind", p.Key.Kind))),
            "{point}", "Points in the repository, by what their verifications say.");
        _meter.CreateObservableGauge(
            "rbdbackup.verified.age", () => _verified.Values.Select(v => new Measurement<double>((time.GetUtcNow() - v.At).TotalSeconds, v.Tags)),
            "s", "How long ago a point of the disk was last verified and found whole.");
    }

    /// <summary>Counts a job as running until the result is disposed.</summary>
    public IDisposable Running()
    {
        Interlocked.Increment(ref _running);
        return new Leave(this);
    }

    /// <summary>A point was committed.</summary>
    public void Finished(Manifest point)
    {
        _backups.Add(1, new KeyValuePair<string, object?>("result", "ok"), new("kind", point.Kind == PointKind.Full ? "full" : "increment"));
        _stored.Add(point.StoredBytes);
        _data.Add(point.DataBytes);
        if (point.CrossCheck is { } check)
        {
            _crossChecks.Add(1, new KeyValuePair<string, object?>("result", check.DisagreedAt is null ? "ok" : "disagreed"));
        }

        Saw(point);
    }

    /// <summary>A backup failed.</summary>
    public void Failed(ImageSpec image, ErrorKind kind) =>
        _backups.Add(1, new KeyValuePair<string, object?>("result", "failed"), new("error", kind.ToString()));

    /// <summary>A release was done.</summary>
    /// <param name="took">How long it took.</param>
    /// <param name="lag">How long ago its message was sent; clocks differ, so it may be below zero.</param>
    public void Released(TimeSpan took, TimeSpan lag)
    {
        _release.Record(took.TotalSeconds);
        _lag.Record(Math.Max(0, lag.TotalSeconds));
    }

    /// <summary>A sweep was done.</summary>
    public void Swept(SweepResult result)
    {
        foreach (var step in result.Steps.Where(s => s.Action != SweepAction.LeaveAlone))
        {
            _swept.Add(1, new KeyValuePair<string, object?>("action", step.Action.ToString().ToLowerInvariant()));
        }
    }

    /// <summary>How many rebuilt servers have their old disks.</summary>
    public void OldDisks(int count) => Volatile.Write(ref _oldDisks, count);

    /// <summary>A disk's newest point is this one, unless a newer is known.</summary>
    public void Saw(Manifest point) => _last.AddOrUpdate(
        point.Disk.Key,
        _ => (point, [new("pool", point.Disk.Pool), new("image", point.Disk.Name), new("policy", point.Policy ?? ""), new("project", point.AskedBy.Project ?? "")]),
        (_, known) => known.Point.Created >= point.Created ? known : (point, known.Tags));

    /// <summary>What a look at all of the catalogue found of the points' verifications; it takes the place of the one before.</summary>
    public void Verified(IReadOnlyCollection<(Manifest Point, VerifiedState? State)> points)
    {
        Volatile.Write(ref _points, points
            .GroupBy(p => (Result: p.State is null ? "never" : p.State.Ok ? "ok" : "damaged", Kind: p.State?.Kind.ToString().ToLowerInvariant() ?? ""))
            .ToDictionary(g => g.Key, g => g.LongCount()));
        foreach (var disk in points.Where(p => p.State is { Ok: true }).GroupBy(p => p.Point.Disk.Key))
        {
            var last = disk.MaxBy(p => p.State!.At);
            _verified[disk.Key] = (last.State!.At, [new("pool", last.Point.Disk.Pool), new("image", last.Point.Disk.Name)]);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private sealed class Leave(WorkerMetrics metrics) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref metrics._running);
    }
}
