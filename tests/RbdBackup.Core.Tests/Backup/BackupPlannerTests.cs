using RbdBackup.Core.Backup;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Tests.Backup;

/// <summary>Full or increment, and by which proof: every reason once.</summary>
public sealed class BackupPlannerTests
{
    private const ulong FastDiff = ImageInfo.FeatureFastDiff;
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 2, 0, 0, TimeSpan.Zero);
    private static readonly ImageParent Parent = new(3, "images", "", "abc", "glance", 7, "snap", 1 << 30);
    private static readonly PointId Point = PointId.New(Now.AddDays(-1));

    [Fact]
    public void An_increment_is_made_where_all_is_as_it_should_be()
    {
        var decision = BackupPlanner.Decide(Question(Snapshots(10, 20)));
        Assert.Equal(PointKind.Increment, decision.Kind);
        Assert.Equal(10UL, decision.Base!.SnapshotId);
        Assert.Equal((null, false), (decision.Proof.FineReason, decision.Proof.BaseExtents));
        Assert.Empty(decision.Proof.OlderSnapshots);
    }

    [Fact]
    public void Every_older_snapshot_gives_candidates_too() =>
        Assert.Equal([3, 5], BackupPlanner.Decide(Question(Snapshots(3, 5, 10, 20), Base() with { OlderSnapshots = [3, 5] })).Proof.OlderSnapshots);

    [Fact]
    public void The_base_s_own_base_that_is_gone_is_covered_by_the_base_s_extents()
    {
        var proof = BackupPlanner.Decide(Question(Snapshots(10, 20), Base() with { OlderSnapshots = [4], OwnBase = 4 })).Proof;
        Assert.Equal((null, true), (proof.FineReason, proof.BaseExtents));
    }

    [Theory]
    [InlineData("a full was asked for", 1)]
    [InlineData("the first point", 2)]
    [InlineData("made anew", 3)]
    [InlineData("base snapshot is gone", 4)]
    [InlineData("a new cycle", 5)]
    [InlineData("shrank", 6)]
    [InlineData("parent changed", 7)]
    [InlineData("parent changed", 8)]
    [InlineData("base snapshot is gone", 9)]
    public void A_full_says_why(string reason, int which)
    {
        var question = Question(Snapshots(10, 20));
        question = which switch
        {
            1 => question with { FullAsked = true },
            2 => question with { Candidates = [] },
            3 => question with { Candidates = [], OtherPoints = true },
            4 => Question(Snapshots(20)),
            5 => question with { Candidates = [Base() with { ChainStart = Now.AddDays(-3) }] },
            6 => question with { Candidates = [Base() with { Size = 2 << 20 }] },
            7 => question with { Image = question.Image with { Parent = Parent } },
            8 => question with { Image = question.Image with { Parent = Parent with { Overlap = 4096 } }, Candidates = [Base() with { Parent = Parent }] },
            _ => question with { SnapshotId = 9 }, // A Cinder snapshot that is older than our base.
        };
        var decision = BackupPlanner.Decide(question);
        Assert.Equal(PointKind.Full, decision.Kind);
        Assert.Contains(reason, decision.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(15)]
    [InlineData(20)]
    public void An_invalid_map_at_the_ends_or_in_between_means_the_fine_diff_over_everything(ulong invalid)
    {
        var snapshots = Snapshots(10, 15, 20).Select(s => s.Id == invalid ? s with { Flags = 1 } : s).ToList();
        var decision = BackupPlanner.Decide(Question(snapshots));
        Assert.Equal(PointKind.Increment, decision.Kind);
        Assert.Contains($"snapshot {invalid} is invalid", decision.Proof.FineReason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_map_that_is_invalid_only_later_does_not_matter() =>
        Assert.Null(BackupPlanner.Decide(Question([.. Snapshots(10, 20), Snapshot(30) with { Flags = 3 }])).Proof.FineReason);

    [Fact]
    public void Any_other_older_snapshot_that_is_gone_means_the_fine_diff_over_everything() =>
        Assert.Contains(
            "snapshot 4, older than the base, is gone",
            BackupPlanner.Decide(Question(Snapshots(10, 20), Base() with { OlderSnapshots = [4], OwnBase = 5 })).Proof.FineReason, StringComparison.Ordinal);

    [Fact]
    public void No_fast_diff_foreign_namespaces_and_too_many_maps_mean_the_fine_diff_over_everything()
    {
        var plain = Question(Snapshots(10, 20));
        Assert.Contains(
            "no fast-diff", BackupPlanner.Decide(plain with { Image = plain.Image with { Layout = new ImageLayout(22, 0, 1 << 22, 1, null) } }).Proof.FineReason,
            StringComparison.Ordinal);
        var trash = BackupPlanner.Decide(Question([Snapshot(5) with { Namespace = SnapshotNamespace.Trash }, .. Snapshots(10, 20)]));
        Assert.Contains("Trash", trash.Proof.FineReason, StringComparison.Ordinal);
        var many = Enumerable.Range(1, 60).Select(i => Snapshot((ulong)i)).ToList();
        Assert.Contains(
            "cheaper", BackupPlanner.Decide(Question([.. many, .. Snapshots(100, 120)], Base() with { SnapshotId = 100 }) with { SnapshotId = 120 }).Proof.FineReason,
            StringComparison.Ordinal);
    }

    private static BaseCandidate Base() => new(Point, "disk", 10, [], 1 << 20, null, null, Now.AddDays(-1));

    private static ImageSnapshot Snapshot(ulong id) => new(id, $"s{id}", SnapshotNamespace.User, 1 << 20, 0, false);

    private static List<ImageSnapshot> Snapshots(params ulong[] ids) => [.. ids.Select(Snapshot)];

    private static BackupQuestion Question(IReadOnlyList<ImageSnapshot> snapshots, BaseCandidate? candidate = null) => new(
        new ImageInfo(new ImageSpec("vms", "a"), 1, "id", 1 << 20, new ImageLayout(22, FastDiff, 1 << 22, 1, null), 0, null, snapshots, false, false),
        20, [candidate ?? Base()], false, false, 3, Now);
}
