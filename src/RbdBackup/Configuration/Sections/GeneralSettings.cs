#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>What holds for the whole process.</summary>
[Section("DEFAULT", "Logging.")]
public sealed record GeneralSettings
{
    [Option("false", "Log what helps to find a fault, and much of it. The same as -v.")]
    public required bool Debug { get; init; }

    [Option(null, "Log to this file as well as to standard error. It may be moved away at any time (logrotate).")]
    public required string? LogFile { get; init; }

    [Option("false", "Log one JSON object a line instead of text.")]
    public required bool UseJson { get; init; }
}
