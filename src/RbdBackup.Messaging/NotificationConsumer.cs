using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging;

/// <summary>One consumer of one queue of notifications, on a connection of its own.</summary>
internal sealed class NotificationConsumer(
    TransportUrl url, string name, string queue, ushort prefetch, bool keepsUnreadable, MessagingOptions options, TimeProvider clock, ILogger log)
{
    private readonly BrokerLink link = new(new BrokerConnector(url, $"rbdbackup {name}"), name, options, clock, log);
    private readonly DeliveryRunner runner = new(options, clock, log);

    /// <summary>How the link is.</summary>
    public LinkStatus Status => link.Status;

    /// <summary>Consumes until <paramref name="stop"/>.</summary>
    public Task RunAsync(NotificationHandler handler, CancellationToken stop) =>
        link.RunAsync((connection, up, cancel) => SessionAsync(connection, handler, up, cancel), stop);

    private async Task SessionAsync(IConnection connection, NotificationHandler handler, Action up, CancellationToken stop)
    {
        var running = new RunningTasks();
        using var session = CancellationTokenSource.CreateLinkedTokenSource(stop);
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(
                publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true, consumerDispatchConcurrency: prefetch),
            stop);
        var loss = new ChannelLoss(channel);
        await Topology.DeclareNotificationsAsync(channel, queue, options, stop);
        await Topology.BindAsync(connection, channel, queue, options, log, stop);
        await channel.BasicQosAsync(prefetchSize: 0, prefetch, global: false, stop);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, message) =>
            running.RunAsync(() => HandleAsync(new Delivery(channel, queue, options, message), handler, session.Token));
        consumer.UnregisteredAsync += (_, _) =>
        {
            loss.Report($"the queue {queue} was deleted");
            return Task.CompletedTask;
        };
        var tag = await channel.BasicConsumeAsync(queue, autoAck: false, consumer, stop);
        up();
        try
        {
            while (true)
            {
                await loss.WatchAsync(options.RebindInterval, clock, stop);
                await Topology.BindAsync(connection, channel, queue, options, log, stop);
            }
        }
        finally
        {
            // What a lost channel delivered comes again, so nobody needs to finish it, and nothing waits for it.
            await session.CancelAsync();
            if (stop.IsCancellationRequested && channel.IsOpen)
            {
                await channel.BasicCancelAsync(tag, noWait: true, CancellationToken.None);
                await running.WhenIdle;
            }
        }
    }

    private Task HandleAsync(Delivery delivery, NotificationHandler handler, CancellationToken stop) => runner.RunAsync(
        delivery,
        async () =>
        {
            var message = delivery.Message;
            try
            {
                await handler(
                    new NotificationDelivery(
                        message.Body, message.BasicProperties.ContentType, message.Exchange, message.RoutingKey, delivery.Count),
                    stop);
            }
            catch (RbdBackupException e) when (!keepsUnreadable && e.Kind is ErrorKind.Corrupt or ErrorKind.Unsupported)
            {
                Log.Dropped(log, queue, e.Message);
            }

            await delivery.AckAsync();
        },
        stop);
}
