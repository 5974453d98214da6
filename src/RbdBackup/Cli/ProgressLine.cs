using RbdBackup.Core.Ports;

namespace RbdBackup.Cli;

/// <summary>Shows progress: on a terminal one line that changes ten times a second, elsewhere a plain line every five seconds.</summary>
public sealed class ProgressLine(StandardError error, bool terminal, TimeProvider time) : IProgressReporter
{
    private const int BarWidth = 24;
    private readonly TimeSpan _interval = terminal ? TimeSpan.FromMilliseconds(100) : TimeSpan.FromSeconds(5);
    private readonly Lock _lock = new();
    private string _phase = "";
    private long _start = time.GetTimestamp();
    private long _doneAtStart;
    private long _next;

    /// <inheritdoc/>
    public void Report(string phase, long done, long total, string unit)
    {
        // Most calls end here, without the lock: work reports every few milliseconds from many threads.
        var now = time.GetTimestamp();
        if (now < Volatile.Read(ref _next) && ReferenceEquals(phase, Volatile.Read(ref _phase)))
        {
            return;
        }

        lock (_lock)
        {
            var changed = phase != _phase;
            if (!changed && now < _next)
            {
                return;
            }

            if (changed)
            {
                (_phase, _start, _doneAtStart) = (phase, now, done);
            }

            Volatile.Write(ref _next, now + (long)(_interval.TotalSeconds * time.TimestampFrequency));
            var elapsed = time.GetElapsedTime(_start, now);
            Show(Format(phase, done, total, unit, elapsed <= TimeSpan.Zero ? 0 : (done - _doneAtStart) / elapsed.TotalSeconds));
        }
    }

    private void Show(string line)
    {
        if (terminal)
        {
            error.SetStatus(line);
        }
        else
        {
            error.WriteLine(line);
        }
    }

    private string Format(string phase, long done, long total, string unit, double perSecond)
    {
        var share = total > 0 ? Math.Clamp((double)done / total, 0, 1) : 0;
        var bar = terminal && total > 0 ? $" [{new string('#', (int)(share * BarWidth)).PadRight(BarWidth)}]" : "";
        var percent = total > 0 ? $" {share * 100,3:F0} %" : "";
        var amount = total > 0 ? $"{Humanize.Amount(done, unit)} of {Humanize.Amount(total, unit)}" : Humanize.Amount(done, unit);
        var speed = unit == "By" && perSecond > 0 ? $", {Humanize.Bytes((long)perSecond)}/s" : "";
        var seconds = perSecond > 0 && total > done ? Math.Min((total - done) / perSecond, 1e8) : 0;
        var left = seconds > 0 ? $", {Humanize.Duration(TimeSpan.FromSeconds(seconds))} left" : "";
        return $"{phase}{bar}{percent}  {amount}{speed}{left}";
    }
}
