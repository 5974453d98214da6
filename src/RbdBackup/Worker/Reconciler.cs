using Microsoft.Extensions.Logging;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;

namespace RbdBackup.Worker;

/// <summary>
/// Takes up what a dead worker left, and what is due for another try: the truth is in RADOS, and this reads all of it, at start and every minute.
/// </summary>
internal sealed partial class Reconciler(IImageCluster cluster, IStateStore state, BackupRunner runner, Dispatcher dispatcher, TimeProvider time, ILogger log)
{
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
            catch (RbdBackupException e)
            {
                LogFailed(e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    /// <summary>One pass over all records. The dispatcher bounds how many run at a time.</summary>
    public async Task PassAsync(CancellationToken stop)
    {
        var work = new List<Task>();
        await foreach (var name in state.ListAsync(stop))
        {
            if (StateKeys.IsImage(name) && ImageOf(await state.ReadAsync(name, stop)) is { } image && await state.GetHolderAsync(name, stop) is null)
            {
                work.Add(await IsThereAsync(name, image, stop) ? dispatcher.RunAsync(name, stop) : ForgetAsync(name, image, stop));
            }
        }

        await Task.WhenAll(work);
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
            return await cluster.FindAsync(image, stop) is { } info && StateKeys.Image(info.PoolId, info.ImageId) == name;
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
