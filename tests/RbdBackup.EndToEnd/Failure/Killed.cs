using System.Text.Json;

namespace RbdBackup.EndToEnd.Failure;

/// <summary>Runs the command in a process that kills itself at a checkpoint, then the same command again.</summary>
internal static class Killed
{
    /// <summary>What every killed command runs with: leases that soon lapse.</summary>
    public static readonly string[] Settings = ["ceph.lease_duration=5s", "repository.segment_size=1MiB", "repository.frame_size=64KiB", "repository.uploads=2"];

    /// <summary>Runs a command that must be killed at a checkpoint.</summary>
    public static async Task AtAsync(Sandbox sandbox, string checkpoint, params string[] arguments)
    {
        using var process = sandbox.Start(new Dictionary<string, string> { ["RBDBACKUP_KILL_AT"] = checkpoint }, arguments);
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 128 + 9, $"not killed at {checkpoint}: exit code {process.ExitCode}, {await error}");
    }

    /// <summary>Runs the same command until the dead one's lease has lapsed; it must succeed.</summary>
    public static async Task<JsonElement> AgainAsync(Sandbox sandbox, params string[] arguments)
    {
        for (var tries = 60; ; tries--)
        {
            var result = await sandbox.RunAsync(arguments);
            if (result.ExitCode == 0)
            {
                return result.Json;
            }

            Assert.True(result.ExitCode == 4 && tries > 0, $"rbdbackup {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.Error}");
            await Task.Delay(500);
        }
    }
}
