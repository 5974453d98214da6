using System.Collections;
using System.CommandLine;

namespace RbdBackup.Cli;

/// <summary>What a command line stands on: its streams, environment and clock. A test gives its own.</summary>
public sealed class CliHost : InvocationConfiguration
{
    /// <summary>A host that writes to the given streams.</summary>
    public CliHost(TextWriter output, TextWriter error)
    {
        Output = output;
        Error = error;

        // Errors and signals are ours: they have exit codes, and a backup must not be cut off after two seconds.
        EnableDefaultExceptionHandler = false;
        ProcessTerminationTimeout = null;
    }

    /// <summary>True where standard output is a terminal.</summary>
    public bool OutputIsTerminal { get; init; }

    /// <summary>True where standard error is a terminal.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Opens standard output for bytes.</summary>
    public Func<Stream> OpenBinaryOutput { get; init; } = () => Stream.Null;

    /// <summary>Opens standard input for bytes.</summary>
    public Func<Stream> OpenBinaryInput { get; init; } = () => Stream.Null;

    /// <summary>The environment's variables.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>This process's own.</summary>
    public static CliHost OfProcess() => new(Console.Out, Console.Error)
    {
        OutputIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        OpenBinaryOutput = Console.OpenStandardOutput,
        OpenBinaryInput = Console.OpenStandardInput,
        Environment = System.Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(v => (string)v.Key, v => (string?)v.Value ?? ""),
    };
}
