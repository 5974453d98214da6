using System.Text.Json;
using RbdBackup.Ceph;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;

namespace RbdBackup.EndToEnd.Worker;

/// <summary>What waits for whole servers is among the jobs.</summary>
public sealed class ServerJobTests(Mini mini) : IClassFixture<Mini>
{
    private readonly string _server = Guid.NewGuid().ToString();

    [Fact]
    public async Task A_wish_for_a_server_is_listed_made_due_and_cancelled()
    {
        var name = $"e2e-{Guid.NewGuid():N}";
        using var sandbox = new Sandbox($"ceph.user={Mini.WorkerUser}", $"ceph.state_namespace={name}");
        await sandbox.DoAsync("repo", "init");
        await using var state = new RadosStateStore(mini.Admin, "rbdbackup", name);
        var (late, other) = (Wish("1") with { Tries = 2, LastError = "no room", NextTry = DateTimeOffset.UtcNow.AddHours(1) }, Wish("2"));
        foreach (var wish in new[] { late, other })
        {
            await state.WriteUnleasedAsync(StateKeys.Server(_server), wish.Key, wish.Write(), default);
        }

        var listed = (await ListAsync(sandbox)).Single(j => Text(j, "id") == late.DedupKey.ToString());
        Assert.Equal((_server, "waiting", "no room", 2), (Text(listed, "server"), Text(listed, "state"), Text(listed, "last_error"), listed.GetProperty("tries").GetInt32()));

        await sandbox.DoAsync("jobs", "retry", late.DedupKey.ToString());
        Assert.All(ServerRequest.Waiting(await state.ReadAsync(StateKeys.Server(_server), default)), r => Assert.True(r.IsDue(DateTimeOffset.UtcNow)));

        // A server that is at work is not pulled away from under whoever works on it.
        await using (await state.AcquireAsync(StateKeys.Server(_server), default))
        {
            var refused = await sandbox.RunAsync("jobs", "cancel", late.DedupKey.ToString());
            Assert.Equal(4, refused.ExitCode);
        }

        Assert.True((await sandbox.DoAsync("jobs", "cancel", late.DedupKey.ToString())).GetProperty("cancelled").GetBoolean());
        Assert.Equal([other.DedupKey.ToString()], (await ListAsync(sandbox)).Select(j => Text(j, "id")));
        Assert.Contains(late.Key, ImageJobs.Answered(await state.ReadAsync(StateKeys.Server(_server), default)));
        Assert.Equal(3, (await sandbox.RunAsync("jobs", "cancel", late.DedupKey.ToString())).ExitCode);
    }

    private ServerRequest Wish(string value) => new()
    {
        DedupKey = DedupKey.OfServer(_server, "test", value),
        Server = _server,
        Policy = "daily",
        AskedBy = new AskedBy(AskedSource.Notification),
        Created = DateTimeOffset.UtcNow,
    };

    private static async Task<List<JsonElement>> ListAsync(Sandbox sandbox) => [.. (await sandbox.DoAsync("jobs")).EnumerateArray()];

    private static string? Text(JsonElement job, string member) => job.GetProperty(member).GetString();
}
