namespace RbdBackup.Observe;

/// <summary>What Prometheus calls a metric's type.</summary>
internal enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>The values of one metric with one set of labels.</summary>
internal sealed class MetricSeries(double[] bounds)
{
    private readonly Lock _lock = new();
    private readonly long[] _buckets = new long[bounds.Length];
    private double _sum;
    private long _count;

    /// <summary>Adds to a counter.</summary>
    public void Add(double value)
    {
        lock (_lock)
        {
            _sum += value;
        }
    }

    /// <summary>Sets a gauge, or a counter that knows its own total.</summary>
    public void Set(double value)
    {
        lock (_lock)
        {
            _sum = value;
        }
    }

    /// <summary>Records a value in a histogram.</summary>
    public void Record(double value)
    {
        lock (_lock)
        {
            _sum += value;
            _count++;
            var bucket = Array.FindIndex(bounds, bound => value <= bound);
            if (bucket >= 0)
            {
                _buckets[bucket]++;
            }
        }
    }

    /// <summary>The value; for a histogram the sum, the count and the count at or below each bound.</summary>
    public (double Sum, long Count, IReadOnlyList<(double Bound, long Count)> Buckets) Read()
    {
        lock (_lock)
        {
            long below = 0;
            return (_sum, _count, [.. bounds.Zip(_buckets, (bound, n) => (bound, below += n))]);
        }
    }
}
