using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Backup;

/// <summary>A rate shared by all jobs of a process: each reservation moves the moment from which the next one may start.</summary>
/// <param name="bytesPerSecond">The rate; 0: no limit.</param>
/// <param name="time">The clock.</param>
public sealed class Throttle(long bytesPerSecond, TimeProvider time) : IThrottle
{
    private readonly Lock _lock = new();
    private TimeSpan _free;

    /// <inheritdoc/>
    public async ValueTask WaitAsync(int bytes, CancellationToken cancel)
    {
        if (bytesPerSecond <= 0)
        {
            return;
        }

        TimeSpan wait;
        lock (_lock)
        {
            var now = time.GetElapsedTime(0);
            var start = _free > now ? _free : now;
            _free = start + TimeSpan.FromSeconds((double)bytes / bytesPerSecond);
            wait = start - now;
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, time, cancel);
        }
    }
}
