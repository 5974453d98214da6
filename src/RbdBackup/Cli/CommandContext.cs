using System.CommandLine;
using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Ports;
using RbdBackup.Observe;

namespace RbdBackup.Cli;

/// <summary>
/// What a command works with. Settings are read when they are first asked for: a command that asks for none runs without a configuration.
/// </summary>
public sealed class CommandContext : IDisposable
{
    private readonly ParseResult _parse;
    private readonly CliHost _host;
    private readonly StandardError _error;
    private readonly Lazy<LoadedConfiguration> _configuration;
    private readonly Lazy<ILoggerFactory> _loggers;
    private readonly Lazy<IProgressReporter> _progress;

    internal CommandContext(ParseResult parse, CliHost host, StandardError error, LogLevel level)
    {
        _parse = parse;
        _host = host;
        _error = error;
        Json = parse.GetValue(GlobalOptions.Json);
        Verbose = parse.GetValue(GlobalOptions.Verbose);
        Output = new Output(host, Json);
        _configuration = new(LoadConfiguration);
        _loggers = new(() => Logging.Create(Settings.General, error.WriteLine, Verbose ? LogLevel.Debug : level, host.Time));
        _progress = new(() => Json ? IProgressReporter.None : new ProgressLine(error, host.ErrorIsTerminal, host.Time));
    }

    /// <summary>True with <c>--json</c>.</summary>
    public bool Json { get; }

    /// <summary>True with <c>-v</c>.</summary>
    public bool Verbose { get; }

    /// <summary>Where the result goes.</summary>
    public Output Output { get; }

    /// <summary>Where work says how far it is.</summary>
    public IProgressReporter Progress => _progress.Value;

    /// <summary>The clock.</summary>
    public TimeProvider Time => _host.Time;

    /// <summary>Opens standard input for bytes.</summary>
    public Stream OpenBinaryInput() => _host.OpenBinaryInput();

    /// <summary>The configuration with its origins.</summary>
    public LoadedConfiguration Configuration => _configuration.Value;

    /// <summary>The configuration.</summary>
    public RbdBackupSettings Settings => Configuration.Settings;

    /// <summary>Where loggers come from.</summary>
    public ILoggerFactory Loggers => _loggers.Value;

    /// <summary>An option's value.</summary>
    public T? Get<T>(Option<T> option) => _parse.GetValue(option);

    /// <summary>An argument's value.</summary>
    public T Get<T>(Argument<T> argument) => argument.Arity.MinimumNumberOfValues == 0 ? _parse.GetValue(argument)! : _parse.GetRequiredValue(argument);

    /// <summary>Another site's configuration: its file alone, without this one's.</summary>
    public static RbdBackupSettings LoadOther(string file, string? store) =>
        ConfigurationLoader.Load(new ConfigurationSources([file], [], new Dictionary<string, string>(), store)).Settings;

    /// <summary>Tells a person something that is no result: one line on standard error.</summary>
    public void Note(string line) => _error.WriteLine(line);

    /// <inheritdoc/>
    public void Dispose()
    {
        _error.ClearStatus();
        if (_loggers.IsValueCreated)
        {
            _loggers.Value.Dispose();
        }
    }

    private LoadedConfiguration LoadConfiguration()
    {
        var loaded = ConfigurationLoader.Load(new ConfigurationSources(
            Get(GlobalOptions.ConfigFile) ?? [], Get(GlobalOptions.ConfigDir) ?? [], _host.Environment, Get(GlobalOptions.Store)));
        foreach (var warning in loaded.Warnings)
        {
            Note($"warning: {warning}");
        }

        return loaded;
    }
}
