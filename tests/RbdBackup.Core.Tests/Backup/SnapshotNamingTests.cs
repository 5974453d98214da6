using RbdBackup.Core.Backup;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Tests.Backup;

public sealed class SnapshotNamingTests
{
    private const string Id = "019cac0f-2a68-7fec-b275-b20435031b75";

    [Theory]
    [InlineData("volumes", $"backup.{Id}.snap.1700000000.00", true)]
    [InlineData("volumes", $"backup.site-a-{Id}.snap.1700000000.00", true)]
    [InlineData("volumes", $"backup.{Id}.site-a.snap.1700000000.00", false)]
    [InlineData("volumes", $"backup.A{Id}.snap.1700000000.00", false)]
    [InlineData("volumes", $"backup.{Id}.snap.", false)]
    [InlineData("volumes", "backup..snap.1700000000.00", false)]
    [InlineData("volumes", $"my.backup.{Id}.snap.1700000000.00", false)]
    [InlineData("volumes", $"rbdbackup.{Id}", false)]
    [InlineData("vms", $"backup.{Id}.snap.1700000000.00", false)]
    public void Cinder_removes_what_has_its_form_and_nothing_else(string pool, string snapshot, bool removed) =>
        Assert.Equal(removed, Default.IsRemovedByCinder(new ImageSpec(pool, "volume-1"), snapshot));

    [Theory]
    [InlineData("backup.{point}.snap.{time}", $"backup.{Id}.snap.1700000000.00", true)]
    [InlineData("backup.site-a-{point}.snap.{time}", $"backup.site-a-{Id}.snap.1700000000.00", true)]
    [InlineData("backup.site-a-{point}.snap.{time}", $"backup.{Id}.snap.1700000000.00", false)]
    [InlineData("backup.{point}.snap.{time}", $"backup.site-a-{Id}.snap.1700000000.00", false)]
    [InlineData("backup.{point}.snap.{time}", "backup.nobody.snap.1700000000.00", false)]
    public void A_snapshot_is_ours_where_our_template_made_it(string template, string snapshot, bool ours) =>
        Assert.Equal(ours ? Id : null, (Default with { VolumeTemplate = template }).PointOf(snapshot)?.ToString());

    private static SnapshotNaming Default => new("volumes", "backup.{point}.snap.{time}", "rbdbackup.{point}");
}
