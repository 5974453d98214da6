using Microsoft.Extensions.Logging;
using RbdBackup.Core.Model;
using RbdBackup.Core.Release;

namespace RbdBackup.Worker;

/// <summary>Sweeps the clusters now and then: what was missed while no worker was up, or whose message was lost, is found at the latest then.</summary>
internal sealed partial class Sweeper(IReadOnlyList<SweepRunner> runners, TimeSpan interval, WorkerMetrics metrics, TimeProvider time, ILogger log)
{
    // What could not be looked at this time is as it was the last time.
    private readonly Dictionary<SweepRunner, int> _oldDisks = [];

    /// <summary>Runs until stopped; a sweep that fails is tried again.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(interval, time);
        do
        {
            foreach (var runner in runners)
            {
                await SweepAsync(runner, stop);
            }

            metrics.OldDisks(_oldDisks.Values.Sum());
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    private async Task SweepAsync(SweepRunner runner, CancellationToken stop)
    {
        try
        {
            var result = await runner.RunAsync(dryRun: false, stop);
            _oldDisks[runner] = result.OldDisks.Count;
            Report(result);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
        {
            // Another worker sweeps.
        }
        catch (RbdBackupException e)
        {
            LogFailed(e.Message);
        }
    }

    private void Report(SweepResult result)
    {
        foreach (var step in result.Steps)
        {
            if (step.Action == SweepAction.LeaveAlone)
            {
                LogLeft(step.Image, step.Reason);
            }
            else
            {
                LogSwept(step.Image, step.Action, step.Reason);
            }
        }

        foreach (var disk in result.OldDisks)
        {
            LogOldDisk(disk);
        }

        foreach (var error in result.Errors)
        {
            LogFailed(error.Message);
        }

        metrics.Swept(result);
    }

    [LoggerMessage(4060, LogLevel.Warning, "{Image}: {Action}, since {Reason}")]
    private partial void LogSwept(ImageSpec image, SweepAction action, string reason);

    [LoggerMessage(4061, LogLevel.Information, "{Image} is left alone: {Reason}")]
    private partial void LogLeft(ImageSpec image, string reason);

    [LoggerMessage(4062, LogLevel.Error, "{Image} is older than its server's last rebuild: the server has its old disk. Rebuild it again")]
    private partial void LogOldDisk(ImageSpec image);

    [LoggerMessage(4063, LogLevel.Warning, "a sweep could not do or see all, and comes again: {Why}")]
    private partial void LogFailed(string why);
}
