using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace RbdBackup.Messaging;

/// <summary>
/// Our queues at a broker. Their arguments are constants: a queue can't be declared again with others, so what an operator may tune is ours to apply.
/// </summary>
public static class Topology
{
    /// <summary>After how many deliveries the broker itself gives up a message: only for one that kills each worker which takes it.</summary>
    public const int BrokerDeliveryLimit = 20;

    // The broker is shared with the cloud. A worker that is away for long loses the oldest notifications, which the services lose as well when the
    // broker restarts; it must not fill the broker's disk.
    private const long NotificationBytes = 256L << 20;
    private const long JobBytes = 64L << 20;
    private const long DeadBytes = 64L << 20;

    /// <summary>Declares the queue of dead letters; when it is full, the oldest go.</summary>
    internal static Task DeclareDeadAsync(IChannel channel, MessagingOptions options, CancellationToken cancel) =>
        DeclareAsync(channel, options.DeadQueue, new() { ["x-max-length-bytes"] = DeadBytes, ["x-overflow"] = "drop-head" }, cancel);

    /// <summary>Declares the queue of requests. When it is full, publishing is refused: no request is lost silently.</summary>
    internal static async Task DeclareJobsAsync(IChannel channel, MessagingOptions options, CancellationToken cancel)
    {
        await DeclareDeadAsync(channel, options, cancel);
        await DeclareAsync(
            channel,
            options.JobQueue,
            new()
            {
                ["x-delivery-limit"] = BrokerDeliveryLimit,
                ["x-max-length-bytes"] = JobBytes,
                ["x-overflow"] = "reject-publish",
                ["x-dead-letter-exchange"] = "",
                ["x-dead-letter-routing-key"] = options.DeadQueue,
                ["x-dead-letter-strategy"] = "at-least-once",
            },
            cancel);
    }

    /// <summary>Declares a queue for copies of notifications. When it is full, the oldest go: refusing would be an error in the services that publish.</summary>
    internal static async Task DeclareNotificationsAsync(IChannel channel, string queue, MessagingOptions options, CancellationToken cancel)
    {
        await DeclareDeadAsync(channel, options, cancel);
        await DeclareAsync(
            channel,
            queue,
            new() { ["x-delivery-limit"] = BrokerDeliveryLimit, ["x-max-length-bytes"] = NotificationBytes, ["x-overflow"] = "drop-head" },
            cancel);
    }

    /// <summary>Binds a queue to the services' exchanges, which it declares only where they are missing. Safe to repeat.</summary>
    internal static async Task BindAsync(IConnection connection, IChannel channel, string queue, MessagingOptions options, ILogger log, CancellationToken cancel)
    {
        foreach (var exchange in options.Exchanges)
        {
            await EnsureExchangeAsync(connection, exchange, log, cancel);
            foreach (var key in options.RoutingKeys)
            {
                await channel.QueueBindAsync(queue, exchange, key, cancellationToken: cancel);
            }
        }
    }

    // A declaration with other properties than the service's is an error for whoever comes second. So: look first, and only where there is nothing,
    // declare what oslo.messaging would. Looking at what is missing closes the channel, hence one of its own.
    internal static async Task EnsureExchangeAsync(IConnection connection, string exchange, ILogger log, CancellationToken cancel)
    {
        await using (var look = await connection.CreateChannelAsync(cancellationToken: cancel))
        {
            try
            {
                await look.ExchangeDeclarePassiveAsync(exchange, cancel);
                return;
            }
            catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.NotFound)
            {
                // Declared below.
            }
        }

        await using var declare = await connection.CreateChannelAsync(cancellationToken: cancel);
        await declare.ExchangeDeclareAsync(exchange, ExchangeType.Topic, durable: false, autoDelete: false, cancellationToken: cancel);
        Log.DeclaredExchange(log, exchange);
    }

    private static async Task DeclareAsync(IChannel channel, string queue, Dictionary<string, object?> arguments, CancellationToken cancel)
    {
        arguments["x-queue-type"] = "quorum";
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, arguments, cancellationToken: cancel);
    }
}
