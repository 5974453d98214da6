using System.Collections;
using System.Diagnostics;

namespace RbdBackup.EndToEnd;

/// <summary>Runs public tools, which know nothing of us.</summary>
public static class Tool
{
    private static readonly string[] Secrets = ["_PASSWORD", "_SECRET", "_KEY"];

    /// <summary>The <c>rbd</c> command as the user who owns everything; its output.</summary>
    public static Task<string> RbdAsync(params string[] arguments) => RunAsync("rbd", ["--name", "client.admin", .. arguments]);

    /// <summary>A pipeline of bash, whose every part must succeed; its arguments are <c>$1</c> and on.</summary>
    public static Task<string> BashAsync(string script, params string[] arguments) =>
        RunAsync("bash", ["-euo", "pipefail", "-c", script, "bash", .. arguments]);

    public static Task<string> PythonAsync(string script, params string[] arguments) => RunAsync("/usr/bin/python3", ["-c", script, .. arguments]);

    public static Task<string> RunAsync(string command, params string[] arguments) => RunAsync(new Dictionary<string, string>(), command, arguments);

    /// <summary>The same with environment variables of its own: what must not be seen by who lists processes.</summary>
    public static async Task<string> RunAsync(IReadOnlyDictionary<string, string> environment, string command, params string[] arguments)
    {
        var start = new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException(Masked($"{command} {string.Join(' ', arguments)} ended with {process.ExitCode}: {await error}"));
    }

    /// <summary>A text without the secrets of devstack/mini: what a tool was given, and what it says, end in the log of the test.</summary>
    private static string Masked(string text)
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            var (name, value) = ((string)variable.Key, (string?)variable.Value ?? "");
            var secret = name.EndsWith("_URL", StringComparison.Ordinal) && Uri.TryCreate(value, UriKind.Absolute, out var url) ? url.UserInfo[(url.UserInfo.IndexOf(':') + 1)..]
                : Secrets.Any(s => name.EndsWith(s, StringComparison.Ordinal)) ? value
                : "";
            text = secret.Length < 8 ? text : text.Replace(secret, "***", StringComparison.Ordinal);
        }

        return text;
    }
}
