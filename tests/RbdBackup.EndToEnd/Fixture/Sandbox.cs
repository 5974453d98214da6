using System.Diagnostics;
using System.Text;
using System.Text.Json;
using RbdBackup.Cli;

namespace RbdBackup.EndToEnd;

/// <summary>How a command ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">Its standard output.</param>
/// <param name="Error">Its standard error.</param>
public sealed record CommandResult(int ExitCode, string Output, string Error)
{
    /// <summary>The document that it printed.</summary>
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;
}

/// <summary>A configuration and an empty repository in a folder of their own, and the command on them.</summary>
public sealed class Sandbox : IDisposable
{
    /// <summary>Makes the folder. Settings are <c>section.option=value</c>, over those that every test has.</summary>
    public Sandbox(params string[] settings)
    {
        Folder = Directory.CreateTempSubdirectory("rbdbackup-e2e-").FullName;
        StoreFolder = Path.Combine(Folder, "store");
        Directory.CreateDirectory(StoreFolder);
        ConfigFile = Path.Combine(Folder, "rbdbackup.conf");
        string[] usual =
        [
            $"ceph.conf={Mini.CephConf}", $"ceph.user={Mini.BackupUser}", $"ceph.restore_user={Mini.RestoreUser}",
            $"store.url=file://{StoreFolder}", "repository.compression=none", "backup.throttle=0",
        ];
        var merged = usual.Concat(settings).Select(Split).GroupBy(s => s.Option).Select(g => g.Last()).GroupBy(s => s.Option.Split('.')[0]);
        var text = new StringBuilder();
        foreach (var section in merged)
        {
            text.AppendLine($"[{section.Key}]");
            foreach (var (option, value) in section)
            {
                text.AppendLine($"{option[(section.Key.Length + 1)..]} = {value}");
            }
        }

        File.WriteAllText(ConfigFile, text.ToString());
    }

    public string Folder { get; }

    public string StoreFolder { get; }

    public string ConfigFile { get; }

    /// <summary>How far the clock of commands in this process is ahead; a negative one is in the past.</summary>
    public TimeSpan Ahead { get; set; }

    /// <summary>Runs the command: as it is shipped, or, where its clock is to be another, in this process.</summary>
    public async Task<CommandResult> RunAsync(params string[] arguments)
    {
        if (Ahead == TimeSpan.Zero)
        {
            using var process = Start(arguments);
            var said = process.StandardError.ReadToEndAsync();
            var printed = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return new CommandResult(process.ExitCode, printed, await said);
        }

        using var output = new StringWriter();
        using var error = new StringWriter();
        var host = new CliHost(output, error) { Time = new Shifted(Ahead) };
        var code = await RbdBackupCommandLine.RunAsync([.. arguments, "--config-file", ConfigFile, "--json"], host);
        return new CommandResult(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs the command, which must succeed; the document that it printed.</summary>
    public async Task<JsonElement> DoAsync(params string[] arguments)
    {
        var result = await RunAsync(arguments);
        Assert.True(result.ExitCode == 0, $"rbdbackup {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.Error}");
        return result.Json;
    }

    /// <summary>Starts the command as a process of its own, which a test may kill.</summary>
    public Process Start(params string[] arguments) => Start(new Dictionary<string, string>(), arguments);

    /// <summary>The same with environment variables of its own.</summary>
    public Process Start(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        // Tests that run in the background of a shell have SIGINT ignored, and so would have what they start.
        var start = new ProcessStartInfo("env", ["--default-signal=INT", Mini.Command, .. arguments, "--config-file", ConfigFile, "--json"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // Who we are is for the configuration to say, not for what mini's environment says for the openstack command.
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("OS_", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>All of an image at a point, as the command exports it.</summary>
    public async Task<byte[]> ExportFullAsync(string point)
    {
        var file = Path.Combine(Folder, $"{point}.full");
        await DoAsync("export", point, "--full", "-o", file);
        var content = DiffFile.Apply(file, []);
        File.Delete(file);
        return content;
    }

    /// <summary>A clock whose date is another; its seconds pass as always.</summary>
    private sealed class Shifted(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + ahead;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private static (string Option, string Value) Split(string setting)
    {
        var at = setting.IndexOf('=', StringComparison.Ordinal);
        return (setting[..at], setting[(at + 1)..]);
    }
}
