using RbdBackup.Core.Model;

namespace RbdBackup.Volumes;

/// <summary>Waits for what Nova and Cinder do a while after their answer.</summary>
internal sealed class Waiting(TimeProvider time, TimeSpan limit)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Looks until something is as it should be.</summary>
    /// <param name="what">What is waited for, for the error.</param>
    /// <param name="look">Looks.</param>
    /// <param name="holds">True for what should be.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unavailable"/>: it did not come in time.</exception>
    public async Task<T> ForAsync<T>(string what, Func<Task<T>> look, Func<T, bool> holds, CancellationToken cancel)
    {
        for (var from = time.GetTimestamp(); ;)
        {
            var seen = await look();
            if (holds(seen))
            {
                return seen;
            }

            if (time.GetElapsedTime(from) > limit)
            {
                throw new RbdBackupException(
                    ErrorKind.Unavailable, $"waited {limit.TotalMinutes:0} minutes in vain until {what}", "Look at the service's log, then run it again.");
            }

            await Task.Delay(Pause, time, cancel);
        }
    }
}
