using System.Text;
using System.Text.Json.Nodes;
using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>
/// Tenant B, who can do all that a tenant can and here even sends messages in the services' names, neither gets at tenant A's disks nor changes what is
/// done for them, nor has anything done for its own that Nova and Cinder don't say it asked for.
/// </summary>
[Trait("Needs", "OpenStack")]
[Collection(nameof(TenantScene))]
public sealed class AttackTests(TenantScene scene, AttackScene attack) : IClassFixture<AttackScene>, IAsyncLifetime
{
    private const string Update = "nova-legacy-compute.instance.update.2.json", Versioned = "nova-versioned-instance.update.2.json";
    private const string Attached = "cinder-legacy-volume.attach.end.json", Created = "cinder-legacy-snapshot.create.end.json";

    private static readonly Dictionary<string, Func<AttackTests, byte[]>> Messages = new()
    {
        ["another policy for another's server"] = t => t.OfServer(p => t.Ask(p, "weekly")),
        ["the same in Nova's other format"] = t => t.OfVersionedServer("weekly"),
        ["a backup of another's server, now"] = t => t.OfServer(p => t.Ask(p, "daily", "1")),
        ["a replay of what was true"] = t => t.OfServer(p => t.Ask(p, "daily")),
        ["another's server in the attacker's project"] = t => t.OfServer(p => t.Ask(p, "weekly", project: t.ProjectB)),
        ["an end of another's protection"] = t => t.OfServer(p => p["metadata"] = new JsonObject()),
        ["policy none for another's server"] = t => t.OfServer(p => t.Ask(p, "none")),
        ["another's server is deleted"] = t => WorkerProcess.Message("nova-legacy-compute.instance.delete.end.json", "instance_id", t.Server),
        ["another's volume is detached"] = t => WorkerProcess.Message("cinder-legacy-volume.detach.end.json", "volume_id", t.Volume),
        ["another's volume is deleted"] = t => WorkerProcess.Message("cinder-legacy-volume.delete.end.json", "volume_id", t.Volume),
        ["a policy for another's volume"] = t => t.OfVolume(t.Volume, "weekly"),
        ["the attacker's volume, which asks for nothing"] = t => t.OfVolume(t.Foreign, "daily"),
        ["the attacker's volume at another's server"] = t => t.OfVolume(t.Foreign, null, p => p["volume_attachment"]![0]!["instance_uuid"] = t.Server),
        ["another's volume is now the attacker's"] = t => t.OfVolume(t.Volume, "daily", p => p["tenant_id"] = t.ProjectB),
        ["another's snapshot, which does not ask"] = t => t.OfSnapshot(t.Volume, t.Snapshot),
        ["another's snapshot of the attacker's volume"] = t => t.OfSnapshot(t.Foreign, t.Snapshot),
        ["a snapshot that is none"] = t => t.OfSnapshot(t.Volume, Guid.NewGuid().ToString()),
        ["our own base as a Cinder snapshot"] = t => t.OfSnapshot(t.Volume, "../" + t.Volume),
        ["a server that is none"] = t => t.OfServer(p => t.Ask(p, "daily"), Guid.NewGuid().ToString()),
        ["a path as a server's id"] = t => t.OfServer(p => t.Ask(p, "daily"), $"../volumes/volume-{t.Volume}"),
        ["a snapshot in a server's id"] = t => t.OfServer(p => t.Ask(p, "daily"), $"{t.Server}@snap"),
        ["a server's id in other letters"] = t => t.OfServer(p => t.Ask(p, "weekly"), t.Server.ToUpperInvariant()),
        ["huge metadata"] = t => t.OfServer(p => p["metadata"] = Huge(t)),
        ["metadata of another shape"] = t => t.OfServer(p => p["metadata"] = new JsonArray(1, new JsonObject { [$"{t.Prefix}_policy"] = "weekly" })),
        ["metadata that are nested"] = t => t.OfServer(p => p["metadata"] = new JsonObject { [$"{t.Prefix}_policy"] = new JsonObject { ["weekly"] = 1 } }),
        ["a line of its own for the log"] = t => t.OfServer(p => t.Ask(p, "x\n2026-11-25 00:00:00 ERROR forged line")),
    };

    public static TheoryData<string> Names => [.. Messages.Keys];

    private string Server => scene.Server.Id;

    private string Volume => scene.Data.Id;

    private string Foreign => scene.Foreign.Id;

    private string ProjectB => scene.Foreign.ProjectId!;

    private string Snapshot => attack.Snapshot;

    private string Prefix => attack.Prefix;

    public Task InitializeAsync() => attack.UpAsync(scene);

    public Task DisposeAsync() => Task.CompletedTask;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_forged_message_changes_nothing(string name)
    {
        await PublishAsync(Messages[name](this));
        await NothingChangedAsync();
    }

    [Fact]
    public async Task An_attachment_that_Cinder_believes_and_Nova_knows_nothing_of_has_no_volume_backed_up_by_anothers_server()
    {
        var attachment = await scene.B.Cloud.BlockStorage.CreateAttachmentAsync(Foreign, Server, null, default);
        try
        {
            await PublishAsync(OfVolume(Foreign, null));
            await PublishAsync(OfServer(p => Ask(p, "weekly")));
            await NothingChangedAsync();
        }
        finally
        {
            await scene.B.Cloud.BlockStorage.DeleteAttachmentAsync(attachment.Id, default);
        }
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("daily\u00a0")]
    [InlineData("policy:daily")]
    public async Task A_policy_that_is_none_protects_nothing_and_is_no_path(string policy)
    {
        await scene.B.Cloud.BlockStorage.SetMetadataAsync(Foreign, new Dictionary<string, string> { [$"{Prefix}_policy"] = policy }, default);
        try
        {
            var before = attack.Worker.Says($"volume {Foreign} asks for backups and gets none: unknown policy");
            await PublishAsync(OfVolume(Foreign, policy));
            await WorkerProcess.UntilAsync(
                "the problem to be told", () => Task.FromResult(attack.Worker.Says($"volume {Foreign} asks for backups and gets none: unknown policy") > before), attack.Worker);
            await NothingChangedAsync();
        }
        finally
        {
            await scene.B.Cloud.BlockStorage.DeleteMetadataAsync(Foreign, $"{Prefix}_policy", default);
            await PublishAsync(OfVolume(Foreign, null));
            await NothingChangedAsync();
        }
    }

    private static JsonObject Huge(AttackTests t)
    {
        var metadata = new JsonObject();
        for (var i = 0; i < 2000; i++)
        {
            metadata[$"{t.Prefix}_{i}"] = new string('x', 255);
        }

        metadata[$"{t.Prefix}_policy"] = new string('y', 100_000);
        return metadata;
    }

    private Task PublishAsync(byte[] message) => WorkerProcess.PublishAsync($"{attack.Name}.forged", message);

    /// <summary>What was sent before is handled, and disks, points and jobs are as they were.</summary>
    private async Task NothingChangedAsync()
    {
        // Messages are handled side by side: two lies about servers of which nobody knows come after what was sent before them, and end after it.
        for (var round = 0; round < 2; round++)
        {
            var ghost = Guid.NewGuid().ToString();
            await PublishAsync(OfServer(p => Ask(p, "weekly"), ghost));
            await WorkerProcess.UntilAsync("a lie to be found out", () => Task.FromResult(attack.Worker.Says($"of server {ghost} what is not so") > 0), attack.Worker);
        }

        var members = await TenantScene.MembersAsync(attack.Mini.Admin, attack.Name);
        Assert.Equal(
            new Dictionary<string, string> { [scene.Root] = "daily", [scene.DataImage] = "daily" }.OrderBy(m => m.Key), members.OrderBy(m => m.Key));
        Assert.Equal(2, (await WorkerProcess.PointsAsync(attack.Sandbox)).Count);
        Assert.All((await attack.Sandbox.DoAsync("jobs")).EnumerateArray(), j => Assert.Equal("finished", j.GetProperty("state").GetString()));
        Assert.Equal(0, attack.Worker.Says("\n2026-11-25 00:00:00 ERROR"));
        Assert.False(attack.Worker.HasExited);
    }

    private void Ask(JsonNode payload, string policy, string? now = null, string? project = null)
    {
        var metadata = new JsonObject { [$"{Prefix}_policy"] = policy };
        if (now is not null)
        {
            metadata[$"{Prefix}_now"] = now;
        }

        payload["metadata"] = metadata;
        payload["tenant_id"] = project ?? scene.ProjectA;
    }

    private byte[] OfServer(Action<JsonNode> change, string? id = null) => WorkerProcess.Message(Update, "instance_id", id ?? Server, change);

    private byte[] OfVersionedServer(string policy)
    {
        var file = Path.Combine(TopFolder.Path, "tests/RbdBackup.OpenStack.Tests/Captures", Versioned);
        var envelope = JsonNode.Parse(JsonNode.Parse(File.ReadAllText(file))!["body"]!.GetValue<string>())!;
        var message = JsonNode.Parse(envelope["oslo.message"]!.GetValue<string>())!;
        var data = message["payload"]!["nova_object.data"]!;
        data["uuid"] = Server;
        Ask(data, policy);
        envelope["oslo.message"] = message.ToJsonString();
        return Encoding.UTF8.GetBytes(envelope.ToJsonString());
    }

    private byte[] OfVolume(string id, string? policy, Action<JsonNode>? change = null) => WorkerProcess.Message(Attached, "volume_id", id, p =>
    {
        p["metadata"] = policy is null ? new JsonArray() : new JsonArray(new JsonObject { ["key"] = $"{Prefix}_policy", ["value"] = policy });
        change?.Invoke(p);
    });

    private byte[] OfSnapshot(string volume, string id) => WorkerProcess.Message(
        Created, "volume_id", volume, p => (p["snapshot_id"], p["metadata"]) = (id, $"{{'{Prefix}': 'yes'}}"));
}
