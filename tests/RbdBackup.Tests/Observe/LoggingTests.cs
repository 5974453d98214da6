using System.Text.Json;
using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Observe;

namespace RbdBackup.Tests.Observe;

public sealed class LoggingTests : IDisposable
{
    private readonly ConfigFolder _folder = new();
    private readonly List<string> _lines = [];
    private readonly GeneralSettings _settings = ConfigurationLoader.Load(ConfigurationSources.Nothing).Settings.General;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_line_is_oslo_s_with_request_and_image()
    {
        Log(_settings, logger =>
        {
            using (logger.BeginJobScope("req-1", "vms/a"))
            {
                logger.LogWarning(new EventId(7, "Late"), "late by {Seconds} s", 5);
            }

            logger.LogInformation("two\nlines");
            logger.LogDebug("not shown");
        });
        Assert.Equal(2, _lines.Count);
        Assert.Matches($@"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}} {Environment.ProcessId} WARNING Test \[req-1 vms/a\] late by 5 s$", _lines[0]);
        Assert.EndsWith(@"INFO Test [-] two\nlines", _lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_json_line_is_one_object()
    {
        Log(_settings with { UseJson = true }, logger =>
        {
            using (logger.BeginJobScope("req-1", "vms/a"))
            {
                logger.LogError(new EventId(7, "Failed"), new IOException("disk"), "failed on {Disk}", "sda");
            }
        });
        using var document = JsonDocument.Parse(Assert.Single(_lines));
        var line = document.RootElement;
        Assert.Equal(("ERROR", "failed on sda", "req-1", "vms/a", 7), (
            line.GetProperty("levelname").GetString(), line.GetProperty("message").GetString(), line.GetProperty("request_id").GetString(),
            line.GetProperty("image").GetString(), line.GetProperty("event_id").GetInt32()));
        Assert.Equal("sda", line.GetProperty("extra").GetProperty("Disk").GetString());
        Assert.Contains("disk", line.GetProperty("traceback").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_log_file_may_be_moved_away()
    {
        var file = Path.Combine(_folder.Path, "a.log");
        Log(_settings with { LogFile = file }, logger =>
        {
            logger.LogInformation("one");
            File.Move(file, file + ".1");
            logger.LogInformation("two");
        });
        Assert.EndsWith("one\n", File.ReadAllText(file + ".1"), StringComparison.Ordinal);
        Assert.EndsWith("two\n", File.ReadAllText(file), StringComparison.Ordinal);
        Assert.Equal(2, _lines.Count);
    }

    private void Log(GeneralSettings settings, Action<ILogger> log)
    {
        using var loggers = Logging.Create(settings, _lines.Add, LogLevel.Information, TimeProvider.System);
        log(loggers.CreateLogger("Test"));
    }
}
