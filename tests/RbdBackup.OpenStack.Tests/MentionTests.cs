using System.Text.Json.Nodes;

namespace RbdBackup.OpenStack.Tests;

/// <summary>Which messages make a worker that asks Nova and Cinder ask.</summary>
public sealed class MentionTests
{
    private static readonly MeaningOptions Options = new() { PolicyKey = "backup", NowKey = "now" };

    [Fact]
    public void Both_of_Novas_formats_mention_the_same()
    {
        Mention? Of(string capture) => Mention.Of(Capture.Named(capture).Parse(), Options) is { } m ? m with { Origin = null! } : null;
        var names = Capture.All.Select(c => c.Name).ToHashSet();
        var pairs = names.Where(n => n.StartsWith("nova-legacy-compute.", StringComparison.Ordinal))
            .Select(n => (Legacy: n, Versioned: n.Replace("nova-legacy-compute.", "nova-versioned-", StringComparison.Ordinal)))
            .Where(p => names.Contains(p.Versioned) && !p.Legacy.Contains("update.", StringComparison.Ordinal)).ToList();
        Assert.True(pairs.Count > 20);
        Assert.All(pairs, p => Assert.Equal(Of(p.Legacy), Of(p.Versioned)));
    }

    [Theory]
    [InlineData("nova-legacy-compute.instance.snapshot.end", true)]
    [InlineData("nova-versioned-instance.snapshot.end", true)]
    [InlineData("nova-versioned-instance.pause.end", false)]
    public void The_end_of_a_snapshot_says_that_there_is_a_new_image(string capture, bool isNew) =>
        Assert.Equal(isNew, Mention.Of(Capture.Named(capture).Parse(), Options)!.HasNewImage);

    [Theory]
    [InlineData("nova-legacy-compute.instance.create.end", true)]
    [InlineData("nova-legacy-compute.instance.volume.attach", true)]
    [InlineData("nova-legacy-compute.instance.volume.detach", true)]
    [InlineData("nova-legacy-compute.instance.delete.end", true)]
    [InlineData("nova-versioned-instance.rebuild.end", true)]
    [InlineData("nova-versioned-instance.unshelve.end", true)]
    [InlineData("nova-versioned-instance.resize_finish.end", true)]
    [InlineData("nova-versioned-instance.shelve_offload.end", true)]
    [InlineData("nova-versioned-instance.pause.end", false)]
    [InlineData("nova-legacy-compute.instance.power_on.end", false)]
    [InlineData("cinder-legacy-volume.create.end", true)]
    [InlineData("cinder-legacy-volume.attach.end", true)]
    [InlineData("cinder-legacy-volume.detach.end", true)]
    [InlineData("cinder-legacy-volume.delete.end", true)]
    [InlineData("cinder-legacy-volume.resize.end", true)]
    [InlineData("cinder-legacy-volume.update.end", false)]
    public void After_some_events_a_server_may_have_other_disks(string capture, bool mayDiffer) =>
        Assert.Equal(mayDiffer, Mention.Of(Capture.Named(capture).Parse(), Options)!.DisksMayDiffer);

    [Theory]
    [InlineData("nova-legacy-compute.instance.create.start")]
    [InlineData("nova-versioned-instance.delete.start")]
    [InlineData("cinder-legacy-volume.attach.start")]
    [InlineData("cinder-legacy-snapshot.create.end")]
    [InlineData("cinder-legacy-backup.create.end")]
    public void What_begins_or_concerns_something_else_is_worth_nothing(string capture) => Assert.Null(Mention.Of(Capture.Named(capture).Parse(), Options));

    [Fact]
    public void What_the_message_says_of_our_keys_is_told_and_of_a_wrong_shape_nothing()
    {
        const string Update = "nova-legacy-compute.instance.update.2";
        Mention? With(JsonNode? metadata) =>
            Mention.Of(NotificationParser.Parse(Message.Changed(Update, m => m["payload"]!["metadata"] = metadata), null), Options);
        Assert.Equal(("daily", "1", false), With(new JsonObject { ["backup"] = "daily", ["now"] = "1" }) is { } m ? (m.Policy!, m.Now!, m.DisksMayDiffer) : default);
        Assert.Equal((null, null, false), With(new JsonObject()) is { } n ? (n.Policy, n.Now, n.DisksMayDiffer) : default);
        Assert.All(
            new JsonNode?[] { null, new JsonArray(1), new JsonObject { ["backup"] = new JsonObject() }, JsonValue.Create("x") },
            wrong => Assert.Equal((null, null, true), With(wrong) is { } w ? (w.Policy, w.Now, w.DisksMayDiffer) : default));
    }

    [Theory]
    [InlineData("../../x")]
    [InlineData("29BAD680-7C49-4E65-AA67-69EA1A1A53C2")]
    [InlineData("29bad680-7c49-4e65-aa67-69ea1a1a53c2@x")]
    [InlineData(null)]
    public void An_id_that_is_no_uuid_is_nobodys(string? id)
    {
        Assert.Null(Mention.Of(NotificationParser.Parse(Message.Changed("nova-legacy-compute.instance.update.2", m => m["payload"]!["instance_id"] = id), null), Options));
        Assert.Null(Mention.Of(NotificationParser.Parse(Message.Changed("cinder-legacy-volume.attach.end", m => m["payload"]!["volume_id"] = id), null), Options));
    }
}
