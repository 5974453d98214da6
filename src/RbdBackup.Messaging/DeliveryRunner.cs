using Microsoft.Extensions.Logging;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging;

/// <summary>
/// Runs the handler of a message and settles what the handler left open: a message that can never be understood is a dead letter at once, one whose
/// handling failed is delivered again after a pause, and after <see cref="MessagingOptions.DeliveryLimit"/> deliveries is one too.
/// </summary>
internal sealed class DeliveryRunner(MessagingOptions options, TimeProvider clock, ILogger log)
{
    private static readonly TimeSpan MaxPause = TimeSpan.FromMinutes(1);

    /// <summary>Runs <paramref name="handle"/>, which settles the delivery when all went well. Never throws.</summary>
    public async Task RunAsync(Delivery delivery, Func<Task> handle, CancellationToken stop)
    {
        try
        {
            // Nobody said why: each worker that took it died or lost its connection with it.
            await (delivery.Count > options.DeliveryLimit
                ? DeadLetterAsync(delivery, $"delivered {delivery.Count - 1} times without an answer")
                : HandleAsync(delivery, handle, stop));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Left unsettled: the broker delivers it to another worker when this one's channel closes.
        }
        catch (Exception e)
        {
            // After its settlement a handler's failure is the handler's own; a failed settlement means that the broker delivers again.
            Log.EndedBadly(log, e, delivery.Queue);
        }
    }

    private async Task HandleAsync(Delivery delivery, Func<Task> handle, CancellationToken stop)
    {
        try
        {
            await handle();
            if (!delivery.IsSettled)
            {
                throw new InvalidOperationException("The handler returned without settling the message.");
            }
        }
        catch (Exception e) when (!delivery.IsSettled && !(e is OperationCanceledException && stop.IsCancellationRequested))
        {
            await FailedAsync(delivery, e, stop);
        }
    }

    private async Task FailedAsync(Delivery delivery, Exception error, CancellationToken stop)
    {
        if (error is RbdBackupException { Kind: ErrorKind.Corrupt or ErrorKind.Unsupported } || delivery.Count >= options.DeliveryLimit)
        {
            await DeadLetterAsync(delivery, error.Message);
            return;
        }

        var doublings = Math.Min(delivery.Count - 1, 10);
        var pause = TimeSpan.FromTicks(Math.Min(options.RetryDelay.Ticks << doublings, MaxPause.Ticks));
        Log.WillRetry(log, error, delivery.Queue, delivery.Count, options.DeliveryLimit, pause);
        await Task.Delay(pause, clock, stop);
        await delivery.RequeueAsync();
    }

    private async Task DeadLetterAsync(Delivery delivery, string reason)
    {
        await delivery.DeadLetterAsync(reason);
        Log.DeadLetter(log, delivery.Queue, reason);
    }
}
