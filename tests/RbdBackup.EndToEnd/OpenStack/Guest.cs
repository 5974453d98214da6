using System.Text;
using System.Text.Json.Nodes;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>A server's guest, through its QEMU agent: as somebody who is logged in there.</summary>
internal sealed class Guest(string server)
{
    private static string LibvirtUri => Mini.Setting("RBDBACKUP_TEST_LIBVIRT_URI");

    /// <summary>Waits until the guest has booted and sees so many disks, each mounted at <c>/mnt/DEVICE</c>.</summary>
    public async Task UpAsync(int disks = 1)
    {
        await Tenant.UntilAsync($"the agent of {server} answers", async () => await TryAskAsync("guest-ping", []) is not null);
        // A disk's folder is there before the disk is mounted on it.
        await Tenant.UntilAsync($"{server} has mounted {disks} disks", async () => await RunAsync("grep -c ' /mnt/' /proc/mounts || true") == $"{disks}\n");
    }

    /// <summary>Runs a script in the guest's shell, which must succeed; what it printed.</summary>
    public async Task<string> RunAsync(string script)
    {
        var asked = new JsonObject { ["path"] = "sh", ["arg"] = new JsonArray("-ec", script), ["capture-output"] = true };
        var pid = (await AskAsync("guest-exec", asked))!["pid"]!.GetValue<int>();
        JsonNode? status = null;
        await Tenant.UntilAsync(
            $"{server} runs {script}", async () => (status = await AskAsync("guest-exec-status", new() { ["pid"] = pid }))!["exited"]!.GetValue<bool>());
        var output = Text(status!["out-data"]) + Text(status["err-data"]);
        Assert.True(status!["exitcode"]!.GetValue<int>() == 0, $"the guest could not run {script}: {output}");
        return output;
    }

    /// <summary>A command of the agent's; its answer.</summary>
    public static async Task<JsonNode?> AskAsync(string server, string command, JsonObject arguments)
    {
        var text = new JsonObject { ["execute"] = command, ["arguments"] = arguments }.ToJsonString();
        return JsonNode.Parse(await Tool.RunAsync("virsh", "-c", LibvirtUri, "qemu-agent-command", server, text))!["return"];
    }

    private static string Text(JsonNode? base64) => base64 is null ? "" : Encoding.UTF8.GetString(Convert.FromBase64String(base64.GetValue<string>()));

    private Task<JsonNode?> AskAsync(string command, JsonObject arguments) => AskAsync(server, command, arguments);

    private async Task<JsonNode?> TryAskAsync(string command, JsonObject arguments)
    {
        try
        {
            return await AskAsync(command, arguments);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
