using System.CommandLine;
using RbdBackup.Configuration;

namespace RbdBackup.Cli;

/// <summary>The options that every command takes, before or after its name.</summary>
public static class GlobalOptions
{
    /// <summary><c>--config-file</c>, repeatable.</summary>
    public static Option<string[]> ConfigFile { get; } = new("--config-file")
    {
        Description = "A configuration file; may be given several times, a later one counts more.",
        HelpName = "PATH",
        Recursive = true,
    };

    /// <summary><c>--config-dir</c>, repeatable.</summary>
    public static Option<string[]> ConfigDir { get; } = new("--config-dir")
    {
        Description = $"A folder with rbdbackup.conf and rbdbackup.conf.d/*.conf. [default: {ConfigurationSources.DefaultFolder}]",
        HelpName = "DIR",
        Recursive = true,
    };

    /// <summary><c>--store</c>, over <c>[store] url</c>.</summary>
    public static Option<string?> Store { get; } = new("--store")
    {
        Description = "The repository: s3://bucket/prefix, swift://container/prefix or file:///folder. Comes before [store] url.",
        HelpName = "URL",
        Recursive = true,
    };

    /// <summary><c>--json</c>.</summary>
    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "Print one JSON document on standard output, and errors as JSON on standard error.",
        Recursive = true,
    };

    /// <summary><c>-v</c>.</summary>
    public static Option<bool> Verbose { get; } = new("--verbose", "-v")
    {
        Description = "Log what is done, and show where an unexpected error came from.",
        Recursive = true,
    };

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Option> All { get; } = [ConfigFile, ConfigDir, Store, Json, Verbose];
}
