using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;
using RbdBackup.Tenants;
using RbdBackup.Volumes;

namespace RbdBackup.Tests.Records;

/// <summary>What an older program wrote lacks the newest members: they are then what they are in a new record.</summary>
public class OlderRecordTests
{
    [Theory]
    [InlineData("covered")]
    [InlineData("skipped")]
    [InlineData("results")]
    public void A_tenants_wish(string lacks) => Same(new Asking { Policy = "daily" }, AskingJson.Default.Asking, lacks);

    [Fact]
    public void A_journal_of_a_restore_into_a_volume() =>
        Same(new VolumeJournal { Restore = Guid.NewGuid(), Started = DateTimeOffset.UnixEpoch }, VolumeJson.Default.VolumeJournal, "servers");

    [Fact]
    public void A_job() => Same(
        new JobRecord
        {
            Point = PointId.Parse("01a21794-3434-7a59-b849-bd62d0cdd322"),
            Image = "vms/a",
            State = JobState.Waiting,
            Attempt = AttemptId.New(),
            SnapshotName = "rbdbackup.a",
            OwnSnapshot = true,
            AskedBy = new AskedBy(AskedSource.Cli),
            Created = DateTimeOffset.UnixEpoch,
            Tries = 0,
        },
        JobJson.Default.JobRecord, "request_keys");

    [Fact]
    public void A_hold_of_a_server() => Same(
        new ServerHold { Kind = HoldKind.Paused, Server = "a", Since = DateTimeOffset.UnixEpoch, Holder = "host" }, ServerHoldJson.Default.ServerHold, "new_volumes");

    private static void Same<T>(T record, JsonTypeInfo<T> type, string lacks)
    {
        var members = JsonSerializer.SerializeToNode(record, type)!.AsObject();
        Assert.True(members.Remove(lacks));
        Assert.Equal(
            JsonSerializer.Serialize(record, type),
            JsonSerializer.Serialize(JsonSerializer.Deserialize(members.ToJsonString(), type)!, type));
    }
}
