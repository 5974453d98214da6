using RbdBackup.Cli;

namespace RbdBackup.Tests.Cli;

public sealed class ProgressLineTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly StringWriter _error = new();

    public void Dispose() => _error.Dispose();

    [Fact]
    public void Elsewhere_than_on_a_terminal_there_is_a_line_every_five_seconds()
    {
        var progress = new ProgressLine(new StandardError(_error), terminal: false, _time);
        for (var second = 0; second <= 10; second++)
        {
            progress.Report("export", second << 20, 20 << 20, "By");
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        progress.Report("verify", 1, 0, "{point}");
        Assert.Equal(
            [
                "export   0 %  0 B of 20 MiB",
                "export  25 %  5 MiB of 20 MiB, 1 MiB/s, 15s left",
                "export  50 %  10 MiB of 20 MiB, 1 MiB/s, 10s left",
                "verify  1 point",
            ],
            _error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void On_a_terminal_log_lines_go_above_the_bar()
    {
        var error = new StandardError(_error);
        var progress = new ProgressLine(error, terminal: true, _time);
        progress.Report("export", 1, 2, "{segment}");
        error.WriteLine("a log line");
        error.ClearStatus();
        const string bar = "export [############            ]  50 %  1 segment of 2 segments";
        Assert.Equal($"\r\e[K{bar}\r\e[Ka log line\n{bar}\r\e[K", _error.ToString());
    }

    private sealed class ManualTime : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan by) => _now += by.Ticks;
    }
}
