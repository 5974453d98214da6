using System.Text.Json.Nodes;
using RabbitMQ.Client;

namespace RbdBackup.EndToEnd.Worker;

/// <summary>A collector's queue for our own events, on an exchange of its own.</summary>
internal sealed class EventQueue : IAsyncDisposable
{
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly string _exchange;
    private readonly string _queue;
    private readonly List<JsonNode> _taken = [];

    private EventQueue(IConnection connection, IChannel channel, string exchange, string queue) =>
        (_connection, _channel, _exchange, _queue) = (connection, channel, exchange, queue);

    /// <summary>The settings with which a command, which needs no queues, has its events go there.</summary>
    public string[] Settings => [$"notifications.transport_url={Mini.AmqpUrl.Replace("amqp:", "rabbit:", StringComparison.Ordinal)}", Setting];

    /// <summary>The setting that has a worker's go there.</summary>
    public string Setting => $"notifications.events_exchange={_exchange}";

    public static async Task<EventQueue> OpenAsync(string name)
    {
        var connection = await new ConnectionFactory { Uri = new Uri(Mini.AmqpUrl) }.CreateConnectionAsync();
        var channel = await connection.CreateChannelAsync();
        await channel.ExchangeDeclareAsync($"{name}.events", ExchangeType.Topic, durable: false);
        var queue = (await channel.QueueDeclareAsync()).QueueName;
        await channel.QueueBindAsync(queue, $"{name}.events", "notifications.*");
        return new EventQueue(connection, channel, $"{name}.events", queue);
    }

    /// <summary>All events that have come so far, in their order.</summary>
    public async Task<IReadOnlyList<JsonNode>> AllAsync()
    {
        while (await _channel.BasicGetAsync(_queue, autoAck: true) is { } message)
        {
            _taken.Add(JsonNode.Parse(JsonNode.Parse(message.Body.Span)!["oslo.message"]!.GetValue<string>())!);
        }

        return _taken;
    }

    /// <summary>Those of a type, of which there must be some soon, each as its type and a member of its payload.</summary>
    public async Task<List<string>> TypesAsync(int count, string member)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while ((await AllAsync()).Count < count && !patience.IsCancellationRequested)
        {
            await Task.Delay(100);
        }

        return [.. _taken.Select(e => $"{e["event_type"]!.GetValue<string>()["rbdbackup.".Length..]} {e["payload"]![member]}")];
    }

    public async ValueTask DisposeAsync()
    {
        await _channel.ExchangeDeleteAsync(_exchange);
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
