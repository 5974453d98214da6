using System.Text.Json;
using RbdBackup.Cli;
using RbdBackup.Core.Model;

namespace RbdBackup.Tests.Cli;

public sealed class CommandLineTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Version_is_one_line()
    {
        var result = await CliResult.RunAsync("--version");
        Assert.Equal(0, result.ExitCode);
        Assert.Matches(@"^\d+\.\d+\.\d+\S*\n$", result.Output);
    }

    [Theory]
    [InlineData("--json", "config", "check")]
    [InlineData("config", "check", "--json")]
    [InlineData("config", "--json", "check")]
    public async Task Global_options_stand_before_or_after_the_command(params string[] args)
    {
        var result = await CliResult.RunAsync([.. args, "--config-file", _folder.Write("a.conf", "")]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        using var document = JsonDocument.Parse(result.Output);
        Assert.Equal(["files", "warnings"], document.RootElement.EnumerateObject().Select(p => p.Name));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("config", "nonsense")]
    [InlineData("config", "check", "--nonsense")]
    [InlineData("config")]
    public async Task A_command_line_that_is_none_ends_with_2(params string[] args)
    {
        var result = await CliResult.RunAsync(args);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Matches("^error: .+\n  what to do: 'rbdbackup.* --help' .+\n$", result.Error);
    }

    [Theory]
    [InlineData("a number", "verify", "--all", "--source", "--sample")]
    [InlineData("a whole number", "compact", "--min-live")]
    [InlineData("a whole number", "import", "f", "--as", "a/b", "--order")]
    [InlineData("a whole number", "import", "f", "--as", "a/b", "--features")]
    [InlineData("a whole number", "restore", "--all", "--at-a-time")]
    [InlineData("a time such as 2027-01-31T12:00+01:00", "copy", "--all", "--to", "file:///x", "--since")]
    [InlineData("a time such as 2027-01-31T12:00+01:00", "restore", "--all", "--at")]
    public async Task A_value_that_is_none_is_told_in_words(string what, params string[] args)
    {
        var result = await CliResult.RunAsync([.. args, "nonsense"]);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.StartsWith($"error: Cannot parse argument 'nonsense' for option '{args[^1]}' as {what}.\n", result.Error);
    }

    [Fact]
    public async Task An_error_is_said_to_people_with_what_to_do()
    {
        var file = _folder.Write("bad.conf", "[ceph]\nnope = 1\n");
        var result = await CliResult.RunAsync("config", "check", "--config-file", file);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Equal($"error: {file}:2: [ceph] nope: there is no such option\n  what to do: 'rbdbackup config sample' lists every option with what is allowed.\n", result.Error);
    }

    [Fact]
    public async Task An_error_is_said_to_programs_as_json_on_standard_error()
    {
        var result = await CliResult.RunAsync("config", "check", "--json", "--config-file", "/does/not/exist");
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        using var document = JsonDocument.Parse(result.Error);
        var error = document.RootElement.GetProperty("error");
        Assert.Equal(["kind", "message", "remedy", "exit_code"], error.EnumerateObject().Select(p => p.Name));
        Assert.Equal(("usage", 2), (error.GetProperty("kind").GetString(), error.GetProperty("exit_code").GetInt32()));
    }

    [Fact]
    public async Task Show_names_every_option_and_masks_secrets()
    {
        var key = _folder.Write("key", "in-a-file");
        var file = _folder.Write("a.conf", $"[notifications]\ntransport_url = rabbit://nova:pa/ss@w0rd@h:5672/v\ntransport_url = pa/ss\n[store]\ns3_access_key=AK\ns3_secret_key_file = {key}\n");
        var result = await CliResult.RunAsync(
            new Dictionary<string, string> { ["OS_STORE__URL"] = "https://u:t0psecret@h/b" }, "config", "show", "--json", "--config-file", file);
        Assert.Equal(0, result.ExitCode);
        foreach (var secret in new[] { "w0rd", "pa/ss", "in-a-file", "t0psecret" })
        {
            Assert.DoesNotContain(secret, result.Output, StringComparison.Ordinal);
        }

        Assert.Contains("rabbit://nova:***@h:5672/v", result.Output, StringComparison.Ordinal);
        Assert.Contains("\"origin\": \"OS_STORE__URL\"", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ErrorKind.NotFound, 3, "not_found")]
    [InlineData(ErrorKind.NoSpace, 9, "no_space")]
    [InlineData(ErrorKind.Dropped, 12, "dropped")]
    public void Every_kind_of_error_has_its_exit_code(ErrorKind kind, int exitCode, string name)
    {
        var report = ErrorReport.Of(new RbdBackupException(kind, "what", "do"), verbose: false, CancellationToken.None);
        Assert.Equal(new ErrorReport(name, "what", "do", exitCode), report);
    }

    [Fact]
    public void A_defect_shows_its_trace_only_when_asked()
    {
        var defect = Record.Exception(() => { _ = int.Parse("x"); })!;
        var brief = ErrorReport.Of(defect, verbose: false, CancellationToken.None);
        var full = ErrorReport.Of(defect, verbose: true, CancellationToken.None);
        Assert.Equal((1, 1), (brief.ExitCode, full.ExitCode));
        Assert.DoesNotContain("   at ", brief.Message, StringComparison.Ordinal);
        Assert.Contains("   at ", full.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cancellation_is_an_interruption_only_after_a_signal()
    {
        var cancelled = new OperationCanceledException();
        Assert.Equal(130, ErrorReport.Of(cancelled, verbose: false, new CancellationToken(canceled: true)).ExitCode);
        Assert.Equal(1, ErrorReport.Of(cancelled, verbose: false, CancellationToken.None).ExitCode);
    }
}
