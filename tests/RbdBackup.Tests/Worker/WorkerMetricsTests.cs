using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;
using RbdBackup.Observe;
using RbdBackup.Worker;

namespace RbdBackup.Tests.Worker;

/// <summary>What the worker's metrics say of verifications and cross-checks.</summary>
public sealed class WorkerMetricsTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 2, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Points_are_counted_by_what_their_verifications_say()
    {
        using var exporter = new MetricsExporter("RbdBackup");
        using var metrics = new WorkerMetrics(new Clock());
        metrics.Verified(
        [
            (Points.Of("a"), new VerifiedState(Now.AddHours(-3), VerifyKind.Data, true)), (Points.Of("a"), new VerifiedState(Now.AddHours(-2), VerifyKind.Data, true)),
            (Points.Of("a"), new VerifiedState(Now.AddHours(-1), VerifyKind.Source, false)), (Points.Of("b"), null),
        ]);
        var text = exporter.Export();
        Assert.Contains("""rbdbackup_points{kind="data",verified="ok"} 2""", text, StringComparison.Ordinal);
        Assert.Contains("""rbdbackup_points{kind="source",verified="damaged"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""rbdbackup_points{kind="",verified="never"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""rbdbackup_verified_age_seconds{image="a",pool="vms"} 7200""", text, StringComparison.Ordinal);
        Assert.DoesNotContain("""rbdbackup_verified_age_seconds{image="b",pool="vms"}""", text, StringComparison.Ordinal);

        metrics.Verified([(Points.Of("b"), null)]);
        Assert.DoesNotContain("verified=\"damaged\"", exporter.Export(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_cross_check_that_disagrees_is_counted()
    {
        using var exporter = new MetricsExporter("RbdBackup");
        using var metrics = new WorkerMetrics(new Clock());
        metrics.Finished(Points.Of("a") with { CrossCheck = new CrossCheck(800, null) });
        metrics.Finished(Points.Of("a") with { CrossCheck = new CrossCheck(800, 4096) });
        metrics.Finished(Points.Of("a"));
        var text = exporter.Export();
        Assert.Contains("""rbdbackup_crosschecks_total{result="ok"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""rbdbackup_crosschecks_total{result="disagreed"} 1""", text, StringComparison.Ordinal);
    }

    private sealed class Clock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Now;
    }
}
