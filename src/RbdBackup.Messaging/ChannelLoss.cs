using RabbitMQ.Client;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging;

/// <summary>Tells when a channel, or a consumer on it, is lost.</summary>
internal sealed class ChannelLoss
{
    private readonly TaskCompletionSource<string> lost = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Watches a channel.</summary>
    public ChannelLoss(IChannel channel)
    {
        channel.ChannelShutdownAsync += (_, e) =>
        {
            Report(e.ReplyText);
            return Task.CompletedTask;
        };
    }

    /// <summary>Reports a loss that the channel does not tell of: a consumer that the broker cancelled.</summary>
    public void Report(string why) => lost.TrySetResult(why);

    /// <summary>Waits for <paramref name="task"/>, and throws as soon as the channel is lost.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unavailable"/>: it is lost; the message says why.</exception>
    public async Task<T> GuardAsync<T>(Task<T> task, CancellationToken stop)
    {
        await Task.WhenAny(task, lost.Task).WaitAsync(stop);
        return lost.Task.IsCompleted ? throw Error(await lost.Task) : await task;
    }

    /// <summary>Waits until the channel is lost, at most <paramref name="time"/>.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unavailable"/>: it is lost; the message says why.</exception>
    public async Task WatchAsync(TimeSpan time, TimeProvider clock, CancellationToken stop)
    {
        try
        {
            throw Error(await lost.Task.WaitAsync(time, clock, stop));
        }
        catch (TimeoutException)
        {
            // Still there.
        }
    }

    private static RbdBackupException Error(string why) => new(ErrorKind.Unavailable, $"The broker's channel is lost: {why}");
}
