using System.Diagnostics;

namespace RbdBackup.EndToEnd;

/// <summary>Runs public tools, which know nothing of us.</summary>
public static class Tool
{
    /// <summary>The <c>rbd</c> command as the user who owns everything; its output.</summary>
    public static Task<string> RbdAsync(params string[] arguments) => RunAsync("rbd", ["--name", "client.admin", .. arguments]);

    /// <summary>A pipeline of bash, whose every part must succeed; its arguments are <c>$1</c> and on.</summary>
    public static Task<string> BashAsync(string script, params string[] arguments) =>
        RunAsync("bash", ["-euo", "pipefail", "-c", script, "bash", .. arguments]);

    public static Task<string> PythonAsync(string script, params string[] arguments) => RunAsync("/usr/bin/python3", ["-c", script, .. arguments]);

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
