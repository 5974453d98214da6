using System.Diagnostics;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Sealing;

namespace RbdBackup.Composition;

/// <summary>Where a repository's key comes from: a file, an environment variable, or what a command prints.</summary>
/// <param name="Name">What the sources are called in errors: <c>[encryption] key</c>, <c>--new-key</c>.</param>
/// <param name="Separator">What stands between that and <c>file</c>, <c>env</c>, <c>command</c>.</param>
/// <param name="File">The file.</param>
/// <param name="Variable">The variable's name.</param>
/// <param name="Command">The command.</param>
internal sealed record KeySource(string Name, char Separator, string? File, string? Variable, string? Command)
{
    private static readonly TimeSpan CommandDeadline = TimeSpan.FromMinutes(1);

    /// <summary>The configured one.</summary>
    public static KeySource Of(EncryptionSettings settings) => new("[encryption] key", '_', settings.KeyFile, settings.KeyEnv, settings.KeyCommand);

    /// <summary>The secret; null where there is no source.</summary>
    /// <exception cref="RbdBackupException">Usage: the source gives no key. Neither it nor what a command prints is in the error.</exception>
    public async Task<RepositorySecret?> ReadAsync(CancellationToken cancel) =>
        File is not null ? RepositorySecret.Parse(await ReadFileAsync(File, cancel), Named("file"))
        : Variable is not null ? RepositorySecret.Parse(
            Environment.GetEnvironmentVariable(Variable) ?? throw Fails("env", $"there is no environment variable {Variable}"), Named("env"))
        : Command is not null ? RepositorySecret.Parse(await RunAsync(Command, cancel), Named("command"))
        : null;

    private string Named(string source) => $"{Name}{Separator}{source}";

    private RbdBackupException Fails(string source, string why, Exception? inner = null) =>
        new(ErrorKind.Usage, $"{Named(source)}: {why}", "Without the key nothing in the repository can be read: give it back from its backup.", inner);

    private async Task<string> ReadFileAsync(string file, CancellationToken cancel)
    {
        try
        {
            return await System.IO.File.ReadAllTextAsync(file, cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fails("file", $"{file} can't be read: {e.Message}", e);
        }
    }

    private async Task<string> RunAsync(string command, CancellationToken cancel)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardOutput = true };
        using var process = Process.Start(start) ?? throw Fails("command", "it could not be started");
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(CommandDeadline);
        try
        {
            var output = await process.StandardOutput.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return process.ExitCode == 0 ? output : throw Fails("command", $"it ended with exit code {process.ExitCode}");
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            cancel.ThrowIfCancellationRequested();
            throw Fails("command", $"it did not end within {CommandDeadline.TotalSeconds:F0} seconds", e);
        }
    }
}
