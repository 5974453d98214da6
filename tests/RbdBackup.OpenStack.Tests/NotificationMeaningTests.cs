using System.Text.Json.Nodes;
using RbdBackup.Core.Model;

namespace RbdBackup.OpenStack.Tests;

public class NotificationMeaningTests
{
    private const string Snapshot = "cinder-legacy-snapshot.create.end.2";
    private const string VolumeId = "e5dda52a-f212-4f37-9caa-2b24bbd2ca37";
    private const string SnapshotId = "dac76a13-c1c8-4b4c-98f6-823dcefb620a";

    [Theory]
    [InlineData("{'backup': 'true'}")]
    [InlineData("{'a': 'b', 'backup': 'yes'}")]
    [InlineData("{'backup': 'daily'}")]
    [InlineData("{'backup': '1'}")]
    [InlineData("{'backup': True}")]
    public void ASnapshotMayAskForItsBackup(string metadata)
    {
        var asked = Assert.IsType<SnapshotBackupAsked>(Message.MeaningWith(Snapshot, p => p["metadata"] = metadata));
        Assert.Equal(new ImageSpec("volumes", $"volume-{VolumeId}"), asked.Disk.Image);
        Assert.Equal((SnapshotId, $"snapshot-{SnapshotId}"), (asked.SnapshotId, asked.SnapshotName));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{'a': 'b'}")]
    [InlineData("{'backup': ''}")]
    [InlineData("{'backup': 'False'}")]
    [InlineData("{'backup': ' no '}")]
    [InlineData("{'backup': None}")]
    [InlineData("{'Backup': 'true'}")]
    [InlineData("{'backup_policy': 'daily'}")]
    [InlineData("{'backup': 'true'")]
    public void ASnapshotMayNotAsk(string metadata) => Assert.IsType<Ignored>(Message.MeaningWith(Snapshot, p => p["metadata"] = metadata));

    [Fact]
    public void ASnapshotThatFailedIsNotBackedUp() => Assert.IsType<Ignored>(Message.MeaningWith(Snapshot, p =>
    {
        p["metadata"] = "{'backup': 'true'}";
        p["status"] = "error";
    }));

    [Fact]
    public void ASnapshotHasOneKeyWhicheverMessageNamesIt()
    {
        var one = Assert.IsType<SnapshotBackupAsked>(Message.MeaningWith(Snapshot, p => p["metadata"] = "{'backup': 'true'}"));
        var again = one with { Origin = one.Origin with { MessageId = "another", RequestId = "req-another" } };
        var other = one with { SnapshotId = VolumeId };
        Assert.Equal(one.DedupKey, again.DedupKey);
        Assert.NotEqual(one.DedupKey, other.DedupKey);
    }

    [Theory]
    [InlineData("../../x")]
    [InlineData("")]
    [InlineData("volumes/other")]
    [InlineData("29bad680-7c49-4e65-aa67-69ea1a1a53c2@snap")]
    [InlineData("29bad680-7c49-4e65-aa67-69ea1a1a53c2\n")]
    [InlineData(" 29bad680-7c49-4e65-aa67-69ea1a1a53c2")]
    [InlineData("29bad6807c494e65aa6769ea1a1a53c2")]
    [InlineData("{29bad680-7c49-4e65-aa67-69ea1a1a53c2}")]
    [InlineData("29BAD680-7C49-4E65-AA67-69EA1A1A53C2")]
    [InlineData("２9bad680-7c49-4e65-aa67-69ea1a1a53c2")]
    [InlineData(null)]
    public void AnIdThatIsNoUuidNamesNoImage(string? id)
    {
        Assert.IsType<Ignored>(Message.MeaningWith("nova-legacy-compute.instance.delete.start", p => p["instance_id"] = id));
        Assert.IsType<Ignored>(Message.MeaningWith("nova-versioned-instance.update", p => p["uuid"] = id));
        Assert.IsType<Ignored>(Message.MeaningWith("cinder-legacy-volume.delete.start", p => p["volume_id"] = id));
        Assert.IsType<Ignored>(Message.MeaningWith(Snapshot, p =>
        {
            p["metadata"] = "{'backup': 'true'}";
            p["snapshot_id"] = id;
        }));
    }

    [Theory]
    [InlineData("nova-versioned-instance.create.end")]
    [InlineData("nova-legacy-compute.instance.create.end")]
    public void AServersPolicyIsReadUnderItsKey(string capture)
    {
        Assert.Equal("weekly", Policy(new() { ["backup_policy"] = "weekly", ["backup"] = "x" }));
        Assert.Null(Policy([]));
        Assert.Equal("gold", Assert.IsType<PolicySeen>(Message.MeaningWith(
            capture, p => p["metadata"] = new JsonObject { ["keep_policy"] = "gold" }, new MeaningOptions().WithKeyPrefix("keep"))).Policy);

        string? Policy(JsonObject metadata) => Assert.IsType<PolicySeen>(Message.MeaningWith(capture, p => p["metadata"] = metadata)).Policy;
    }

    [Fact]
    public void AVolumesPolicyIsReadFromItsList()
    {
        var seen = Message.MeaningWith("cinder-legacy-volume.create.end", p => p["metadata"] = Pairs(("x", "y"), ("backup_policy", "daily")));
        Assert.Equal("daily", Assert.IsType<PolicySeen>(seen).Policy);
    }

    [Theory]
    [InlineData("")]
    [InlineData("daily\n2026-11-21 ERROR all is lost")]
    [InlineData("\u001b[2J")]
    public void APolicyThatIsNoNameIsNone(string policy) => Assert.IsType<Ignored>(
        Message.MeaningWith("nova-versioned-instance.create.end", p => p["metadata"] = new JsonObject { ["backup_policy"] = policy }));

    [Fact]
    public void APolicyThatIsTooLongIsNone() => APolicyThatIsNoNameIsNone(new string('x', 256));

    [Fact]
    public void MetadataOfAnotherShapeIsNone()
    {
        Ignored("nova-versioned-instance.create.end", new JsonArray());
        Ignored("nova-versioned-instance.create.end", new JsonObject { ["backup_policy"] = 7 });
        Ignored("nova-versioned-instance.create.end", null);
        Ignored("cinder-legacy-volume.create.end", new JsonObject());
        Ignored("cinder-legacy-volume.create.end", Pairs(("backup_policy", "daily"), ("backup_policy", "none")));
        Ignored("cinder-legacy-volume.create.end", new JsonArray("backup_policy"));

        static void Ignored(string capture, JsonNode? metadata) => Assert.IsType<Ignored>(Message.MeaningWith(capture, p => p["metadata"] = metadata));
    }

    [Fact]
    public void ARetypedVolumeIsReleased()
    {
        var body = Message.Changed("cinder-legacy-volume.update.end", m => m["event_type"] = "volume.retype");
        var release = Assert.IsType<ReleaseDisk>(Assert.Single(NotificationMeaning.Of(NotificationParser.Parse(body, null), new MeaningOptions())));
        Assert.Equal(ReleaseReason.Retyped, release.Reason);
    }

    [Fact]
    public void ImagesAreNamedAsTheCloudNamesThem()
    {
        var options = new MeaningOptions { ServerPool = "ssd", ServerImage = "{id}_root", VolumePool = "hdd", VolumeImage = "vol-{id}" };
        var id = Guid.Parse(VolumeId);
        Assert.Equal($"ssd/{VolumeId}_root", options.Disk(DiskKind.Server, id).Image.ToString());
        Assert.Equal($"hdd/vol-{VolumeId}", options.Disk(DiskKind.Volume, id).Image.ToString());
    }

    [Fact]
    public void AReplayHasTheKeyOfTheFirst()
    {
        var first = Assert.IsType<PolicySeen>(Capture.Named("nova-versioned-instance.update").Meaning());
        var replay = Assert.IsType<PolicySeen>(Capture.Named("nova-versioned-instance.update").Meaning());
        Assert.Equal(first.DedupKey, replay.DedupKey);
        Assert.NotEqual(first.DedupKey, (first with { Policy = "other" }).DedupKey);
        Assert.NotEqual(first.DedupKey, (first with { Origin = first.Origin with { RequestId = "req-next" } }).DedupKey);
    }

    [Fact]
    public void AProjectThatIsNoIdIsNone() =>
        Assert.Null(Message.MeaningWith("nova-versioned-instance.update", p => p["tenant_id"] = "a\nb").Origin.Project);

    private static JsonArray Pairs(params (string Key, string Value)[] pairs) =>
        [.. pairs.Select(p => new JsonObject { ["key"] = p.Key, ["value"] = p.Value })];
}
