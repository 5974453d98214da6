using RbdBackup.Cli;
using RbdBackup.Configuration;

namespace RbdBackup.Tests;

/// <summary>A folder of configuration files that goes with the test.</summary>
public sealed class ConfigFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("rbdbackup-test-").FullName;

    public string Write(string name, string text, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        var file = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(file, mode);
        }

        return file;
    }

    public LoadedConfiguration Load(string text, params (string Name, string Value)[] environment) =>
        ConfigurationLoader.Load(new ConfigurationSources([Write("test.conf", text)], [], environment.ToDictionary(e => e.Name, e => e.Value)));

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>What a command line left behind.</summary>
public sealed record CliResult(int ExitCode, string Output, string Error)
{
    public static Task<CliResult> RunAsync(params string[] args) => RunAsync(new Dictionary<string, string>(), args);

    public static async Task<CliResult> RunAsync(IReadOnlyDictionary<string, string> environment, params string[] args)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var exitCode = await RbdBackupCommandLine.RunAsync(args, new CliHost(output, error) { Environment = environment });
        return new CliResult(exitCode, output.ToString(), error.ToString());
    }
}
