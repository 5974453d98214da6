using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
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
            (Point("a"), new VerifiedState(Now.AddHours(-3), VerifyKind.Data, true)), (Point("a"), new VerifiedState(Now.AddHours(-2), VerifyKind.Data, true)),
            (Point("a"), new VerifiedState(Now.AddHours(-1), VerifyKind.Source, false)), (Point("b"), null),
        ]);
        var text = exporter.Export();
        Assert.Contains("""rbdbackup_points{kind="data",verified="ok"} 2""", text, StringComparison.Ordinal);
        Assert.Contains("""rbdbackup_points{kind="source",verified="damaged"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""rbdbackup_points{kind="",verified="never"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""rbdbackup_verified_age_seconds{image="a",pool="vms"} 7200""", text, StringComparison.Ordinal);
        Assert.DoesNotContain("""rbdbackup_verified_age_seconds{image="b",pool="vms"}""", text, StringComparison.Ordinal);

        metrics.Verified([(Point("b"), null)]);
        Assert.DoesNotContain("verified=\"damaged\"", exporter.Export(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_cross_check_that_disagrees_is_counted()
    {
        using var exporter = new MetricsExporter("RbdBackup");
        using var metrics = new WorkerMetrics(new Clock());
        metrics.Finished(Point("a") with { CrossCheck = new CrossCheck(800, null) });
        metrics.Finished(Point("a") with { CrossCheck = new CrossCheck(800, 4096) });
        metrics.Finished(Point("a"));
        var text = exporter.Export();
        Assert.Contains("""rbdbackup_crosschecks_total{result="ok"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""rbdbackup_crosschecks_total{result="disagreed"} 1""", text, StringComparison.Ordinal);
    }

    private static Manifest Point(string name)
    {
        var (point, none) = (PointId.New(Now), new ObjectReference("data/none", 0, ""));
        return new Manifest
        {
            Format = 1,
            RequiredFeatures = [],
            Point = point,
            Revision = 1,
            Attempt = AttemptId.New(),
            Created = Now,
            Kind = PointKind.Full,
            Reason = "a test",
            Disk = new DiskIdentity("6f1c2a52-0ddb-4d0b-8f0f-5d1f3f0c6d11", "vms", 3, "", name, "id"),
            Snapshot = new PointSnapshot(1, "snapshot", true),
            OlderSnapshots = [],
            Size = 1,
            Layout = new ImageLayout(22, 61, 1 << 22, 1, null),
            ImageMetadata = new Dictionary<string, string>(),
            Codec = "none",
            Hash = "xxh128",
            Segments = 1,
            DataBytes = 0,
            ZeroBytes = 0,
            StoredBytes = 0,
            Seconds = 1,
            Plan = none,
            Index = none,
            References = none,
            AskedBy = new AskedBy(AskedSource.Cli),
            Tool = "test",
        };
    }

    private sealed class Clock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Now;
    }
}
