using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Volumes;

/// <summary>
/// Finds the volumes that ask to be filled: at once where a notification tells of one, else by a look at all of them now and then, which also takes up what
/// a dead worker left. Fills have slots of their own: no backup waits for a restore, nor a restore for a backup.
/// </summary>
internal sealed partial class FillWorker(
    OpenStackCloud cloud, IStateStore state, VolumeFiller filler, int concurrency, TimeSpan interval, TimeProvider time, ILogger<FillWorker> log) : IDisposable
{
    private readonly SemaphoreSlim _slots = new(concurrency);
    private readonly ConcurrentDictionary<string, Task> _running = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly ConcurrentQueue<string> _offered = new();

    /// <summary>Says that a volume may ask; whether it does is looked up.</summary>
    public void Offer(string volume)
    {
        _offered.Enqueue(volume);
        _wake.Release();
    }

    /// <summary>Runs until stopped, and ends when what it started has ended.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            for (var next = time.GetUtcNow(); ;)
            {
                while (_offered.TryDequeue(out var offered))
                {
                    Start(offered, stop);
                }

                if (time.GetUtcNow() >= next)
                {
                    await PassAsync(stop);
                    next = time.GetUtcNow() + interval;
                }

                var pause = next - time.GetUtcNow();
                await _wake.WaitAsync(pause > TimeSpan.Zero ? pause : TimeSpan.Zero, stop);
            }
        }
        finally
        {
            await Task.WhenAll(_running.Values);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _slots.Dispose();
        _wake.Dispose();
    }

    /// <summary>Starts a fill of each volume that asks, and of each that was begun.</summary>
    private async Task PassAsync(CancellationToken stop)
    {
        await Task.WhenAll(_running.Values.Where(t => t.IsFaulted));
        try
        {
            await foreach (var name in state.ListAsync(stop))
            {
                if (StateKeys.VolumeOf(name) is { } begun && await IsBegunAsync(name, stop))
                {
                    Start(begun, stop);
                }
            }

            await foreach (var volume in cloud.BlockStorage.ListVolumesAsync(new VolumeFilter { AllProjects = true }, stop))
            {
                if (filler.Wants(volume))
                {
                    Start(volume.Id, stop);
                }
            }
        }
        catch (RbdBackupException e)
        {
            LogFailed(e.Message);
        }
    }

    private async Task<bool> IsBegunAsync(string name, CancellationToken stop)
    {
        try
        {
            return await VolumeJournal.ReadAsync(state, name, stop) is { ForTenant: true };
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Corrupt)
        {
            // The others are looked at all the same.
            LogFailed(e.Message);
            return false;
        }
    }

    private void Start(string volume, CancellationToken stop)
    {
        var done = new TaskCompletionSource();
        if (_running.TryAdd(volume, done.Task))
        {
            _ = RunOneAsync(volume, done, stop);
        }
    }

    private async Task RunOneAsync(string volume, TaskCompletionSource done, CancellationToken stop)
    {
        try
        {
            await _slots.WaitAsync(stop);
            try
            {
                await filler.FillAsync(volume, stop);
            }
            finally
            {
                _slots.Release();
            }
        }
        catch (RbdBackupException e)
        {
            // Busy: another worker is at it. Anything else comes again with the next look.
            LogAgain(volume, e.Message);
        }
        catch (OperationCanceledException)
        {
            // The worker stops; what was begun is in the journal.
        }
        catch (Exception e)
        {
            // A defect; the next look throws it on.
            done.SetException(e);
            return;
        }

        _running.TryRemove(volume, out _);
        done.SetResult();
    }

    [LoggerMessage(6040, LogLevel.Warning, "a look for volumes that ask to be filled failed and is tried again: {Why}")]
    private partial void LogFailed(string why);

    [LoggerMessage(6041, LogLevel.Information, "volume {Volume} is looked at again later: {Why}")]
    private partial void LogAgain(string volume, string why);
}
