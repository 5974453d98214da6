using System.Text.Json;
using System.Text.Json.Nodes;
using RbdBackup.Core.Model;

namespace RbdBackup.Cli;

/// <summary>An error as a person, or a program, is told of it.</summary>
/// <param name="Kind">The kind in snake_case, as in the list of exit codes.</param>
/// <param name="Message">What failed, on what, and why.</param>
/// <param name="Remedy">What to do; null where the message says it.</param>
/// <param name="ExitCode">The process's exit code.</param>
public sealed record ErrorReport(string Kind, string Message, string? Remedy, int ExitCode)
{
    /// <summary>The exit code after Ctrl-C or SIGTERM.</summary>
    public const int Interrupted = 130;

    /// <summary>What an exception means; <paramref name="stop"/> tells an interruption from a failure.</summary>
    public static ErrorReport Of(Exception exception, bool verbose, CancellationToken stop) => exception switch
    {
        AggregateException { InnerExceptions: [var only] } => Of(only, verbose, stop),
        RbdBackupException e => new(Name(e.Kind), verbose ? e.ToString() : e.Message, e.Remedy, e.ExitCode),
        _ when stop.IsCancellationRequested && exception is OperationCanceledException =>
            new("interrupted", "stopped before it was done", "Run the same command again: it goes on where this one stopped.", Interrupted),
        _ => new(
            Name(ErrorKind.Unexpected),
            verbose ? exception.ToString() : $"{exception.GetType().Name}: {exception.Message}",
            verbose
                ? "This is a defect of rbdbackup; please report it with the lines above."
                : "Run it again with -v to see where this came from.",
            (int)ErrorKind.Unexpected),
    };

    /// <summary>A command line that could not be understood.</summary>
    public static ErrorReport OfUsage(string message, string remedy) => new(Name(ErrorKind.Usage), message, remedy, (int)ErrorKind.Usage);

    /// <summary>Writes it and gives the exit code.</summary>
    public int Write(TextWriter error, bool json)
    {
        ArgumentNullException.ThrowIfNull(error);
        if (json)
        {
            // One line, the last one: warnings and log lines may stand before it.
            var members = new JsonObject { ["kind"] = Kind, ["message"] = Message, ["remedy"] = Remedy, ["exit_code"] = ExitCode };
            error.WriteLine(new JsonObject { ["error"] = members }.ToJsonString(JsonForms.Line));
            return ExitCode;
        }

        error.WriteLine($"error: {Message.ReplaceLineEndings(Environment.NewLine + "       ")}");
        if (Remedy is not null)
        {
            error.WriteLine($"  what to do: {Remedy}");
        }

        return ExitCode;
    }

    private static string Name(ErrorKind kind) => JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString());
}
