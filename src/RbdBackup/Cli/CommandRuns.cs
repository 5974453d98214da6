using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace RbdBackup.Cli;

/// <summary>Gives a command its work, in the frame that all commands share: signals, errors, exit codes.</summary>
public static class CommandRuns
{
    /// <summary>
    /// Sets what a command does. It returns where it succeeded and throws where it did not
    /// (<see cref="Core.Model.RbdBackupException"/> for what a person can act on). Its token is cancelled by Ctrl-C and SIGTERM.
    /// </summary>
    /// <param name="command">The command.</param>
    /// <param name="work">What it does.</param>
    /// <param name="level">From which level on it logs without <c>-v</c>; the worker logs more than a command.</param>
    /// <returns>The command.</returns>
    public static Command Runs(this Command command, Func<CommandContext, CancellationToken, Task> work, LogLevel level = LogLevel.Warning)
    {
        ArgumentNullException.ThrowIfNull(command);
        command.SetAction((parse, cancel) => RunAsync(parse, work, level, cancel));
        return command;
    }

    private static async Task<int> RunAsync(
        ParseResult parse, Func<CommandContext, CancellationToken, Task> work, LogLevel level, CancellationToken cancel)
    {
        var host = (CliHost)parse.InvocationConfiguration;
        var error = new StandardError(host.Error);
        using var signals = new StopSignals(cancel);
        using var context = new CommandContext(parse, host, error, level);
        try
        {
            await work(context, signals.Token);
            return 0;
        }
        catch (Exception e)
        {
            error.ClearStatus();
            return ErrorReport.Of(e, context.Verbose, signals.Token).Write(host.Error, context.Json);
        }
    }
}
