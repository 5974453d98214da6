using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.Volumes;

namespace RbdBackup.Tests.Volumes;

public sealed class FillPlannerTests
{
    private const long Gib = 1L << 30;
    private static readonly Volume New = new() { Id = "v", Status = "available", Size = 2, ProjectId = "a", Metadata = new Dictionary<string, string>() };

    [Fact]
    public void Only_a_new_empty_volume_is_filled()
    {
        Assert.Null(FillPlanner.RefuseVolume(New, begun: false));
        Volume[] others =
        [
            New with { SnapshotId = "s" }, New with { SourceVolumeId = "o" }, New with { Bootable = true }, New with { Encrypted = true },
            New with { VolumeImageMetadata = new Dictionary<string, string> { ["image_id"] = "i" } }, New with { Status = "in-use" }, New with { Status = "reserved" },
            New with { Attachments = [new VolumeServer("x", "s")] }, New with { MigrationStatus = "migrating" },
        ];
        Assert.All(others, v => Assert.NotNull(FillPlanner.RefuseVolume(v, begun: false)));
    }

    [Theory]
    [InlineData("reserved", true, null)]
    [InlineData("available", true, null)]
    public void One_that_was_begun_goes_on(string status, bool bootable, string? refusal) =>
        Assert.Equal(refusal, FillPlanner.RefuseVolume(New with { Status = status, Bootable = bootable }, begun: true));

    [Fact]
    public void What_anybody_wrote_is_not_overwritten()
    {
        Assert.Null(FillPlanner.RefuseImage(Image(2 * Gib), New, hasData: false));
        Assert.NotNull(FillPlanner.RefuseImage(Image(2 * Gib), New, hasData: true));
        Assert.NotNull(FillPlanner.RefuseImage(Image(Gib), New, hasData: false));
        Assert.NotNull(FillPlanner.RefuseImage(Image(2 * Gib) with { Snapshots = [new ImageSnapshot(1, "s", SnapshotNamespace.User, Gib, 0, false)] }, New, false));
        Assert.NotNull(FillPlanner.RefuseImage(Image(2 * Gib) with { Parent = new ImageParent(1, "p", "", "i", "n", 1, "s", 0) }, New, false));
    }

    [Fact]
    public void Somebody_else_s_point_is_refused_as_one_that_is_not_there()
    {
        var wish = new RestoreWish(PointId.New(DateTimeOffset.UnixEpoch), null, default);
        var none = FillPlanner.RefusePoint(wish, null, null, New);
        Assert.NotNull(none);
        Assert.Equal(none, FillPlanner.RefusePoint(wish, Point(Gib), "b", New));
        Assert.Equal(none, FillPlanner.RefusePoint(wish, Point(Gib), null, New));
        Assert.Equal(none, FillPlanner.RefusePoint(wish, Point(Gib), null, New with { ProjectId = null }));
        Assert.Null(FillPlanner.RefusePoint(wish, Point(2 * Gib), "a", New));
        Assert.Contains("needs 3 GiB", FillPlanner.RefusePoint(wish, Point((2 * Gib) + 1), "a", New), StringComparison.Ordinal);
    }

    [Fact]
    public void The_newest_point_up_to_a_time()
    {
        int[] seconds = [10, 30, 20];
        var points = seconds.Select(s => Point(Gib) with { Created = DateTimeOffset.FromUnixTimeSeconds(s) }).ToList();
        Assert.Equal(20, FillPlanner.NewestUpTo(points, DateTimeOffset.FromUnixTimeSeconds(29))?.Created.ToUnixTimeSeconds());
        Assert.Equal(30, FillPlanner.NewestUpTo(points, DateTimeOffset.MaxValue)?.Created.ToUnixTimeSeconds());
        Assert.Null(FillPlanner.NewestUpTo(points, DateTimeOffset.FromUnixTimeSeconds(9)));
    }

    [Theory]
    [InlineData("0199c0de-0000-7000-8000-000000000001", "0199c0de-0000-7000-8000-000000000001", null, null)]
    [InlineData("9EE1F7D4-2123-420d-bd08-bfa68df47a8f@latest", null, "9ee1f7d4-2123-420d-bd08-bfa68df47a8f", "9999-12-31T23:59:59Z")]
    [InlineData("9ee1f7d4-2123-420d-bd08-bfa68df47a8f@2026-11-25T19:26:58", null, "9ee1f7d4-2123-420d-bd08-bfa68df47a8f", "2026-11-25T19:26:58Z")]
    [InlineData("9ee1f7d4-2123-420d-bd08-bfa68df47a8f@2026-11-25 19:26+02:00", null, "9ee1f7d4-2123-420d-bd08-bfa68df47a8f", "2026-11-25T17:26:00Z")]
    public void What_a_tenant_may_write(string text, string? point, string? disk, string? at)
    {
        Assert.True(RestoreWish.TryParse(text, out var wish));
        Assert.Equal((point, disk), (wish.Point?.ToString(), wish.Disk));
        Assert.Equal(at, disk is null ? null : wish.At.ToString("yyyy-MM-ddTHH:mm:ssZ"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("latest")]
    [InlineData("9ee1f7d4-2123-420d-bd08-bfa68df47a8f")]
    [InlineData("9ee1f7d4-2123-420d-bd08-bfa68df47a8f@")]
    [InlineData("9ee1f7d4-2123-420d-bd08-bfa68df47a8f@yesterday")]
    [InlineData("9ee1f7d4-2123-420d-bd08-bfa68df47a8f@2026@latest")]
    [InlineData("../../x@latest")]
    [InlineData("{9ee1f7d4-2123-420d-bd08-bfa68df47a8f}@latest")]
    [InlineData("0199c0de-0000-7000-8000-000000000001; rm -rf /")]
    public void What_is_no_wish(string text) => Assert.False(RestoreWish.TryParse(text, out _));

    [Fact]
    public void A_status_is_final_or_not_and_fits_into_Cinder_s_field()
    {
        var point = PointId.New(DateTimeOffset.UnixEpoch);
        Assert.True(FillStatus.IsFinal(FillStatus.Done(point, default)));
        Assert.True(FillStatus.IsFinal(FillStatus.Refused("x")));
        Assert.True(FillStatus.IsFinal(FillStatus.Failed("x")));
        Assert.False(FillStatus.IsFinal(FillStatus.Filling(point)));
        Assert.False(FillStatus.IsFinal(null));
        Assert.False(FillStatus.IsFinal("what a tenant wrote"));
        Assert.Equal(255, FillStatus.Refused(new string('x', 1000)).Length);
    }

    private static ImageInfo Image(long size) => new(new ImageSpec("volumes", "v"), 1, "i", size, new ImageLayout(22, 0, 1 << 22, 1, null), 0, null, [], false, false);

    private static Manifest Point(long size)
    {
        var none = new ObjectReference("", 0, "");
        return new Manifest
        {
            Format = 1,
            RequiredFeatures = [],
            Point = PointId.New(DateTimeOffset.UnixEpoch),
            Revision = 1,
            Attempt = AttemptId.New(),
            Created = DateTimeOffset.UnixEpoch,
            Kind = PointKind.Full,
            Reason = "",
            Disk = new DiskIdentity("f", "volumes", 1, "", "volume-v", "i"),
            Snapshot = new PointSnapshot(1, "s", true),
            OlderSnapshots = [],
            Size = size,
            Layout = new ImageLayout(22, 0, 1 << 22, 1, null),
            ImageMetadata = new Dictionary<string, string>(),
            Codec = "none",
            Hash = "xxh128",
            Segments = 0,
            DataBytes = 0,
            ZeroBytes = 0,
            StoredBytes = 0,
            Seconds = 0,
            Plan = none,
            Index = none,
            References = none,
            AskedBy = new AskedBy(AskedSource.Cli),
            Tool = "t",
        };
    }
}
