using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace RbdBackup.Observe;

/// <summary>
/// Listens to the instruments of one meter and writes them in Prometheus's text format (0.0.4). Counters count, gauges keep the last value,
/// histograms have the buckets that the instrument advises; observable instruments are asked at each export.
/// </summary>
public sealed class MetricsExporter : IDisposable
{
    /// <summary>The format's media type.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private static readonly double[] DefaultBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];
    private readonly ConcurrentDictionary<Instrument, Family> _families = new();
    private readonly MeterListener _listener = new();
    private readonly Lock _export = new();

    /// <summary>Listens from now on; what was counted before is not seen.</summary>
    /// <param name="meterName">The meter's name, <c>RbdBackup</c>.</param>
    public MetricsExporter(string meterName)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == meterName)
            {
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, static i => new Family(i)));
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => ((Family)state!).Measure(value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, state) => ((Family)state!).Measure(value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => ((Family)state!).Measure(value, tags));
        _listener.Start();
    }

    /// <summary>The text of all metrics at this moment.</summary>
    public string Export()
    {
        lock (_export)
        {
            foreach (var family in _families.Values)
            {
                family.ForgetObserved();
            }

            _listener.RecordObservableInstruments();
            var text = new StringBuilder();
            foreach (var family in _families.Values.OrderBy(f => f.Name, StringComparer.Ordinal))
            {
                family.Write(text);
            }

            return text.ToString();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    /// <summary>One metric with all its series.</summary>
    private sealed class Family
    {
        private readonly ConcurrentDictionary<string, MetricSeries> _series = new();
        private readonly Instrument _instrument;
        private readonly MetricKind _kind;
        private readonly double[] _bounds;

        public Family(Instrument instrument)
        {
            _instrument = instrument;
            _kind = KindOf(instrument);
            _bounds = _kind == MetricKind.Histogram ? BoundsOf(instrument) : [];
            Name = PrometheusNames.Of(instrument, _kind);
        }

        public string Name { get; }

        public void Measure(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var series = _series.GetOrAdd(Labels(tags), _ => new MetricSeries(_bounds));
            switch (_kind)
            {
                case MetricKind.Histogram:
                    series.Record(value);
                    break;
                case MetricKind.Gauge when IsUpDown(_instrument):
                case MetricKind.Counter when !_instrument.IsObservable:
                    series.Add(value);
                    break;
                default:
                    series.Set(value);
                    break;
            }
        }

        /// <summary>What an observable instrument no longer reports (a deleted disk's age) must go, not stay at its last value.</summary>
        public void ForgetObserved()
        {
            if (_instrument.IsObservable)
            {
                _series.Clear();
            }
        }

        public void Write(StringBuilder text)
        {
            if (_series.IsEmpty)
            {
                return;
            }

            if (_instrument.Description is { Length: > 0 } help)
            {
                text.Append(CultureInfo.InvariantCulture, $"# HELP {Name} {PrometheusNames.EscapeHelp(help)}\n");
            }

            text.Append(CultureInfo.InvariantCulture, $"# TYPE {Name} {_kind.ToString().ToLowerInvariant()}\n");
            foreach (var (labels, series) in _series.OrderBy(s => s.Key, StringComparer.Ordinal))
            {
                WriteSeries(text, labels, series);
            }
        }

        private void WriteSeries(StringBuilder text, string labels, MetricSeries series)
        {
            var (sum, count, buckets) = series.Read();
            if (_kind != MetricKind.Histogram)
            {
                WriteLine(text, Name, labels, Number(sum));
                return;
            }

            var prefix = labels.Length == 0 ? "" : labels + ",";
            foreach (var (bound, below) in buckets)
            {
                WriteLine(text, Name + "_bucket", $"{prefix}le=\"{Number(bound)}\"", Number(below));
            }

            WriteLine(text, Name + "_bucket", $"{prefix}le=\"+Inf\"", Number(count));
            WriteLine(text, Name + "_sum", labels, Number(sum));
            WriteLine(text, Name + "_count", labels, Number(count));
        }

        private static void WriteLine(StringBuilder text, string name, string labels, string value)
        {
            text.Append(name);
            if (labels.Length > 0)
            {
                text.Append('{').Append(labels).Append('}');
            }

            text.Append(' ').Append(value).Append('\n');
        }

        private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var labels = new List<string>(tags.Length);
            foreach (var (name, value) in tags)
            {
                var text = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
                labels.Add($"{PrometheusNames.Sanitize(name)}=\"{PrometheusNames.EscapeLabel(text)}\"");
            }

            labels.Sort(StringComparer.Ordinal);
            return string.Join(',', labels);
        }

        private static string Number(double value) => value switch
        {
            double.PositiveInfinity => "+Inf",
            double.NegativeInfinity => "-Inf",
            _ => value.ToString("R", CultureInfo.InvariantCulture),
        };

        private static MetricKind KindOf(Instrument instrument) => instrument switch
        {
            Counter<long> or Counter<int> or Counter<double> => MetricKind.Counter,
            ObservableCounter<long> or ObservableCounter<int> or ObservableCounter<double> => MetricKind.Counter,
            Histogram<long> or Histogram<int> or Histogram<double> => MetricKind.Histogram,
            _ => MetricKind.Gauge,
        };

        private static bool IsUpDown(Instrument instrument) =>
            instrument is UpDownCounter<long> or UpDownCounter<int> or UpDownCounter<double>;

        private static double[] BoundsOf(Instrument instrument) => instrument switch
        {
            Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
            Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
            Histogram<int> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
            _ => DefaultBounds,
        };
    }
}
