using System.Text.Json;
using RbdBackup.Cli;

namespace RbdBackup.EndToEnd.OpenStack;

[Trait("Needs", "OpenStack")]
public sealed class ReportTests
{
    [Fact]
    public async Task Disks_of_the_cloud_are_reported_with_what_is_known_of_their_backups()
    {
        await using var tenant = Tenant.Of("A");
        var asking = new Dictionary<string, string> { ["backup_policy"] = "daily" };
        var (asked, other, wrong) = (await tenant.CreateVolumeAsync(1, asking), await tenant.CreateVolumeAsync(), await tenant.CreateVolumeAsync(1, new Dictionary<string, string> { ["backup_policy"] = "dayly" }));
        using var sandbox = new Sandbox([.. Tenant.Settings(), $"ceph.user={Mini.WorkerUser}", $"ceph.state_namespace={Mini.NewName()}"]);
        await sandbox.DoAsync("repo", "init");
        Assert.Equal(("waiting", "daily"), await LineAsync(sandbox, asked.Id));

        var point = (await sandbox.DoAsync("backup", "volume", asked.Id)).GetProperty("id").GetString()!;
        await sandbox.DoAsync("verify", point, "--quick");

        Assert.Equal(("protected", "daily"), await LineAsync(sandbox, asked.Id));
        Assert.Equal(("unprotected", null), await LineAsync(sandbox, other.Id));
        var line = await FindAsync(sandbox, wrong.Id);
        Assert.Contains("dayly", line.GetProperty("reason").GetString(), StringComparison.Ordinal);
        line = await FindAsync(sandbox, asked.Id);
        Assert.Equal((point, JsonValueKind.String, JsonValueKind.Null), (line.GetProperty("last_point").GetString(), line.GetProperty("verified_at").ValueKind, line.GetProperty("restored_at").ValueKind));
        Assert.Equal(asked.ProjectId, line.GetProperty("project").GetString());
        Assert.DoesNotContain((await sandbox.DoAsync("report", "--unprotected")).EnumerateArray(), l => l.GetProperty("id").GetString() == asked.Id);
        Assert.All((await sandbox.DoAsync("report", "--project", asked.ProjectId!)).EnumerateArray(), l => Assert.Equal(asked.ProjectId, l.GetProperty("project").GetString()));

        using var output = new StringWriter();
        await RbdBackupCommandLine.RunAsync(["report", "--csv", "--config-file", sandbox.ConfigFile], new CliHost(output, TextWriter.Null));
        Assert.StartsWith("image,kind,id,name,project,state,policy,reason,points,", output.ToString(), StringComparison.Ordinal);
        Assert.Contains($"volumes/volume-{asked.Id},volume,{asked.Id},e2e,{asked.ProjectId},protected,daily,,1,", output.ToString(), StringComparison.Ordinal);
    }

    private static async Task<(string? State, string? Policy)> LineAsync(Sandbox sandbox, string volume)
    {
        var line = await FindAsync(sandbox, volume);
        return (line.GetProperty("state").GetString(), line.GetProperty("policy").GetString());
    }

    private static async Task<JsonElement> FindAsync(Sandbox sandbox, string volume) =>
        (await sandbox.DoAsync("report")).EnumerateArray().Single(l => l.GetProperty("id").GetString() == volume);
}
