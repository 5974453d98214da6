using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Messaging;

namespace RbdBackup.Worker;

/// <summary>
/// Tells once a day what disks have in the repository, for charging: <c>rbdbackup.backup.exists</c>. One worker does it, under a lease, and writes down which day is told of
/// when the broker has all of it. A worker that dies before tells again, by the same ids.
/// </summary>
internal sealed partial class UsageTeller(
    IStateStore state, PointRepository repository, EventPublisher publisher, DiskPools pools, TimeProvider time, ILogger log)
{
    private const string UpTo = "up_to";
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>Runs until stopped; a pass that fails is tried again.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await PassAsync(stop);
            }
            catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
            {
                // Another worker is at it.
            }
            catch (RbdBackupException e)
            {
                LogFailed(e.Message, e.Remedy);
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                LogFailed("its lease was lost", null);
            }
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    /// <summary>Tells of the last whole day, unless it was told of.</summary>
    private async Task PassAsync(CancellationToken stop)
    {
        if (await DueAsync(stop) is null)
        {
            return;
        }

        await using var lease = await state.AcquireAsync(StateKeys.Usage, stop);
        if (await DueAsync(stop) is not { } day)
        {
            return;
        }

        using var held = CancellationTokenSource.CreateLinkedTokenSource(stop, lease.Lost);
        var count = new UsageCount(day, pools);
        await foreach (var (point, _, _) in new Catalogue(repository).ReadAsync(e => LogDamaged(e.Message), held.Token))
        {
            count.Add(point);
        }

        var told = 0;
        foreach (var usage in count.Events())
        {
            await publisher.SendAsync("rbdbackup.backup.exists", usage.Payload, usage.Id, held.Token);
            told++;
        }

        Checkpoints.Pass("usage.told");
        await lease.UpdateAsync(new Dictionary<string, byte[]> { [UpTo] = Encoding.ASCII.GetBytes(day.Ending.ToString("O")) }, [], held.Token);
        LogTold(told, day.Beginning.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
    }

    private async Task<UsageDay?> DueAsync(CancellationToken cancel)
    {
        var told = (await state.ReadAsync(StateKeys.Usage, cancel)).TryGetValue(UpTo, out var text)
            && DateTimeOffset.TryParse(Encoding.ASCII.GetString(text), CultureInfo.InvariantCulture, out var at) ? at : (DateTimeOffset?)null;
        return UsageDay.Due(told, time.GetUtcNow());
    }

    [LoggerMessage(4180, LogLevel.Information, "told of the usage of {Disks} disks on {Day}")]
    private partial void LogTold(int disks, string day);

    [LoggerMessage(4181, LogLevel.Warning, "the day's usage could not be told, and is again in a minute: {Why} {Remedy}")]
    private partial void LogFailed(string why, string? remedy);

    [LoggerMessage(4182, LogLevel.Warning, "a point is left out of the day's usage: {Why}")]
    private partial void LogDamaged(string why);
}
