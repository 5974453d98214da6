using System.Diagnostics;

namespace RbdBackup.Ceph.Tests;

/// <summary>Runs the public tools beside our own code.</summary>
public static class Shell
{
    /// <summary>The <c>rbd</c> command as the restore user; its output.</summary>
    public static Task<string> RbdAsync(params string[] arguments) => RunAsync("rbd", ["--name", CephFixture.RestoreUser, .. arguments]);

    public static async Task<string> RunAsync(string command, params string[] arguments)
    {
        var start = new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{command} {string.Join(' ', arguments)} ended with {process.ExitCode}: {await error}");
    }
}
