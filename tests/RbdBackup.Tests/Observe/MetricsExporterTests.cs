using System.Diagnostics.Metrics;
using RbdBackup.Observe;

namespace RbdBackup.Tests.Observe;

public sealed class MetricsExporterTests : IDisposable
{
    private readonly Meter _meter = new("RbdBackup.Tests." + Guid.NewGuid().ToString("N"));
    private readonly MetricsExporter _exporter;

    public MetricsExporterTests() => _exporter = new MetricsExporter(_meter.Name);

    public void Dispose()
    {
        _exporter.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public void Counters_have_unit_total_help_and_sorted_labels()
    {
        var counter = _meter.CreateCounter<long>("rbdbackup.backup.read", "By", "Bytes read.\nOf all images\\.");
        counter.Add(3, new("pool", "vms"), new("kind", "full"));
        counter.Add(4, new("kind", "full"), new("pool", "vms"));
        counter.Add(1);
        Assert.Equal(
            """
            # HELP rbdbackup_backup_read_bytes_total Bytes read.\nOf all images\\.
            # TYPE rbdbackup_backup_read_bytes_total counter
            rbdbackup_backup_read_bytes_total 1
            rbdbackup_backup_read_bytes_total{kind="full",pool="vms"} 7

            """,
            _exporter.Export());
    }

    [Fact]
    public void Label_values_are_escaped()
    {
        _meter.CreateCounter<int>("rbdbackup.jobs", "{job}").Add(1, new KeyValuePair<string, object?>("image.name", "a\"b\\c\nd"));
        Assert.Contains("rbdbackup_jobs_total{image_name=\"a\\\"b\\\\c\\nd\"} 1\n", _exporter.Export(), StringComparison.Ordinal);
    }

    [Fact]
    public void Histograms_have_the_advised_buckets_which_add_up()
    {
        var histogram = _meter.CreateHistogram("rbdbackup.backup.duration", "s", "How long.", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 10] });
        foreach (var seconds in new[] { 0.5, 1, 5, 20 })
        {
            histogram.Record(seconds);
        }

        Assert.Equal(
            """
            # HELP rbdbackup_backup_duration_seconds How long.
            # TYPE rbdbackup_backup_duration_seconds histogram
            rbdbackup_backup_duration_seconds_bucket{le="1"} 2
            rbdbackup_backup_duration_seconds_bucket{le="10"} 3
            rbdbackup_backup_duration_seconds_bucket{le="+Inf"} 4
            rbdbackup_backup_duration_seconds_sum 26.5
            rbdbackup_backup_duration_seconds_count 4

            """,
            _exporter.Export());
    }

    [Fact]
    public void Gauges_keep_the_last_value_and_forget_what_is_no_longer_observed()
    {
        List<Measurement<double>> ages = [new(60, new KeyValuePair<string, object?>("image", "vms/a")), new(5.5, new KeyValuePair<string, object?>("image", "vms/b"))];
        _meter.CreateObservableGauge("rbdbackup.point.age", () => ages, "s");
        Assert.Equal("# TYPE rbdbackup_point_age_seconds gauge\nrbdbackup_point_age_seconds{image=\"vms/a\"} 60\nrbdbackup_point_age_seconds{image=\"vms/b\"} 5.5\n", _exporter.Export());

        ages.RemoveAt(1);
        Assert.DoesNotContain("vms/b", _exporter.Export(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1", "x_ratio")]
    [InlineData("By/s", "x_bytes_per_second")]
    [InlineData("{disk}", "x")]
    [InlineData("%", "x_percent")]
    [InlineData(null, "x")]
    public void Units_become_suffixes(string? unit, string expected)
    {
        var running = _meter.CreateUpDownCounter<int>("x", unit);
        running.Add(3);
        running.Add(-1);
        Assert.Contains($"# TYPE {expected} gauge\n{expected} 2\n", _exporter.Export(), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_meters_are_not_shown()
    {
        using var other = new Meter("Other");
        other.CreateCounter<int>("y").Add(1);
        Assert.Equal("", _exporter.Export());
    }
}
