using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging;

/// <summary>
/// One message that the broker delivered, and its settlement: exactly one of acknowledged, requeued, dead-lettered. A stop does not cancel a settlement: what
/// was done would be done again. A lost channel ends it.
/// </summary>
internal sealed class Delivery(IChannel channel, string queue, MessagingOptions options, BasicDeliverEventArgs message)
{
    private const string CountHeader = "x-delivery-count";
    private const int MaxReasonLength = 1000;
    private int settled;

    /// <summary>The queue that it came from.</summary>
    public string Queue { get; } = queue;

    /// <summary>The message.</summary>
    public BasicDeliverEventArgs Message { get; } = message;

    /// <summary>Which delivery of the message this is; 1 for the first.</summary>
    public int Count { get; } = 1 + Redeliveries(message.BasicProperties.Headers);

    /// <summary>True once it is settled.</summary>
    public bool IsSettled => Volatile.Read(ref settled) != 0;

    /// <summary>It is done with.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unavailable"/>: the channel is lost; it will be delivered again.</exception>
    public Task AckAsync() => SettleAsync(async () => await channel.BasicAckAsync(Message.DeliveryTag, multiple: false));

    /// <summary>It is to be delivered again.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unavailable"/>: the channel is lost; it will be anyhow.</exception>
    public Task RequeueAsync() =>
        SettleAsync(async () => await channel.BasicNackAsync(Message.DeliveryTag, multiple: false, requeue: true));

    /// <summary>It goes to the dead letters with its reason, and only when the broker has confirmed that, away from its queue.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unavailable"/>: the channel is lost; it will be delivered again.</exception>
    public Task DeadLetterAsync(string reason) => SettleAsync(async () =>
    {
        var properties = new BasicProperties(Message.BasicProperties)
        {
            Persistent = true,
            Headers = new Dictionary<string, object?>(Message.BasicProperties.Headers ?? new Dictionary<string, object?>())
            {
                [DeadLetterHeaders.Reason] = OneLine(reason),
                [DeadLetterHeaders.Queue] = Queue,
                [DeadLetterHeaders.Exchange] = Message.Exchange,
                [DeadLetterHeaders.RoutingKey] = Message.RoutingKey,
            },
        };
        properties.Headers.Remove(CountHeader);

        // A message's own expiry or user id must neither end the dead letter nor make the broker refuse it.
        properties.ClearExpiration();
        properties.ClearUserId();
        await channel.BasicPublishAsync("", options.DeadQueue, mandatory: true, properties, Message.Body);
        await channel.BasicAckAsync(Message.DeliveryTag, multiple: false);
    });

    private async Task SettleAsync(Func<Task> settle)
    {
        if (Interlocked.Exchange(ref settled, 1) != 0)
        {
            throw new InvalidOperationException($"A message of {Queue} was settled twice.");
        }

        try
        {
            await settle();
        }
        catch (Exception e)
        {
            throw BrokerErrors.Translate(e, $"settle a message of {Queue}", channel.CloseReason?.ReplyText ?? "connection");
        }
    }

    private static int Redeliveries(IDictionary<string, object?>? headers) =>
        headers is not null && headers.TryGetValue(CountHeader, out var count) && count is long and >= 0 and < int.MaxValue ? (int)(long)count : 0;

    private static string OneLine(string reason)
    {
        var line = new string([.. reason.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? ' ' : c)]);
        return line.Length <= MaxReasonLength ? line : line[..MaxReasonLength];
    }
}

/// <summary>The headers that a dead letter carries beside its own.</summary>
public static class DeadLetterHeaders
{
    /// <summary>Why it is a dead letter.</summary>
    public const string Reason = "x-rbdbackup-reason";

    /// <summary>The queue of ours that it was in.</summary>
    public const string Queue = "x-rbdbackup-queue";

    /// <summary>The exchange that it was published to.</summary>
    public const string Exchange = "x-rbdbackup-exchange";

    /// <summary>The routing key that it was published with.</summary>
    public const string RoutingKey = "x-rbdbackup-routing-key";
}
