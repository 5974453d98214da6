using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;

namespace RbdBackup.Worker;

/// <summary>
/// Takes up what a dead worker left, and what is due for another try: the truth is in RADOS, and this reads all of it, at start and once in the time
/// that a dead worker's lease needs to lapse. A pass does not wait for the jobs that it started: one long job must not keep the others waiting.
/// </summary>
internal sealed partial class Reconciler(
    IImageCluster cluster, IStateStore state, BackupRunner runner, Dispatcher dispatcher, TimeSpan interval, TimeProvider time, ILogger log)
{
    private readonly ConcurrentDictionary<string, Task> _running = new();

    /// <summary>Runs until stopped, and ends when what it started has ended; a pass that fails is tried again.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(interval, time);
        try
        {
            do
            {
                try
                {
                    await StartAsync(stop);
                }
                catch (RbdBackupException e)
                {
                    LogFailed(e.Message);
                }
            }
            while (await timer.WaitForNextTickAsync(stop));
        }
        finally
        {
            await Task.WhenAll(_running.Values);
        }
    }

    /// <summary>One pass over all records, with all that it starts. The dispatcher bounds how many run at a time.</summary>
    public async Task PassAsync(CancellationToken stop)
    {
        try
        {
            await StartAsync(stop);
        }
        finally
        {
            await Task.WhenAll(_running.Values);
        }
    }

    private async Task StartAsync(CancellationToken stop)
    {
        await Task.WhenAll(_running.Values.Where(t => t.IsFaulted));
        await foreach (var name in state.ListAsync(stop))
        {
            if (StateKeys.IsImage(name) && !_running.ContainsKey(name) && ImageOf(await state.ReadAsync(name, stop)) is { } image
                && await state.GetHolderAsync(name, stop) is null)
            {
                var done = new TaskCompletionSource();
                _running[name] = done.Task;
                _ = TakeUpAsync(name, image, done, stop);
            }
        }
    }

    private async Task TakeUpAsync(string name, ImageSpec image, TaskCompletionSource done, CancellationToken stop)
    {
        try
        {
            await (await IsThereAsync(name, image, stop) ? dispatcher.RunAsync(name, stop) : ForgetAsync(name, image, stop));
        }
        catch (RbdBackupException e)
        {
            LogFailed(e.Message);
        }
        catch (OperationCanceledException)
        {
            // The worker stops; what was begun is in the records.
        }
        catch (Exception e)
        {
            // A defect; the next pass throws it on.
            done.SetException(e);
            return;
        }

        _running.TryRemove(name, out _);
        done.SetResult();
    }

    private static ImageSpec? ImageOf(IReadOnlyDictionary<string, byte[]> records)
    {
        if (ImageJobs.Jobs(records) is [var job, ..])
        {
            return ImageSpec.TryParse(job.Image, out var spec) ? spec : null;
        }

        try
        {
            return records.Where(r => StateKeys.IsRequest(r.Key)).Select(r => BackupRequestJson.Read(r.Value).Image).FirstOrDefault();
        }
        catch (RbdBackupException)
        {
            return null;
        }
    }

    private async Task<bool> IsThereAsync(string name, ImageSpec image, CancellationToken stop)
    {
        try
        {
            return await cluster.FindAsync(image, stop) is { } info && StateKeys.Image(info) == name;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // Its pool is gone.
            return false;
        }
    }

    private async Task ForgetAsync(string name, ImageSpec image, CancellationToken stop)
    {
        await runner.ForgetAsync(name, image, "the image is gone, or was made anew", stop);
        LogForgotten(image);
    }

    [LoggerMessage(4040, LogLevel.Warning, "a look over all records failed and is tried again: {Why}")]
    private partial void LogFailed(string why);

    [LoggerMessage(4041, LogLevel.Warning, "{Image} is gone, or was made anew, before its backup was done; its jobs count as failed")]
    private partial void LogForgotten(ImageSpec image);
}
