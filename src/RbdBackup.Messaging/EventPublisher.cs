using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging;

/// <summary>
/// Tells others what we do, as OpenStack's services tell it: oslo's envelope on a topic exchange of our own, which collectors know how to read. Nobody waits for
/// it, and nothing fails because of it: what can't be sent is dropped, and said once.
/// </summary>
public sealed class EventPublisher : IAsyncDisposable
{
    private const int MostWaiting = 1000;
    private static readonly TimeSpan LastWord = TimeSpan.FromSeconds(5);

    // Not escaped further than JSON needs: the text is a string in JSON again.
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly BrokerConnector _connector;
    private readonly MessagingOptions _options;
    private readonly string _publisherId;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly Channel<Waiting> _waiting = Channel.CreateBounded<Waiting>(
        new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest }, dropped => dropped.Sent?.TrySetException(TooMany()));
    private readonly CancellationTokenSource _end = new();
    private readonly Task _running;
    private IConnection? _connection;
    private IChannel? _channel;
    private bool _saidFailure;

    /// <summary>Begins; nothing is sent, and no connection opened, before the first event.</summary>
    /// <param name="url">The broker.</param>
    /// <param name="options">The exchange (<see cref="MessagingOptions.EventExchange"/>) and the topic.</param>
    /// <param name="host">The host's name, which becomes part of the publisher's id.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="log">Told where events can't be sent.</param>
    public EventPublisher(TransportUrl url, MessagingOptions options, string host, TimeProvider clock, ILogger log)
    {
        (_connector, _options, _publisherId, _clock, _log) = (new BrokerConnector(url, "rbdbackup events"), options, $"rbdbackup.{host}", clock, log);
        _running = RunAsync(_end.Token);
    }

    /// <summary>Tells of something that began or ended well.</summary>
    /// <param name="eventType">Such as <c>rbdbackup.backup.end</c>.</param>
    /// <param name="payload">What it is about.</param>
    public void Info(string eventType, JsonObject payload) => Publish(eventType, "INFO", payload, Guid.NewGuid());

    /// <summary>Tells of something that failed.</summary>
    /// <inheritdoc cref="Info"/>
    public void Error(string eventType, JsonObject payload) => Publish(eventType, "ERROR", payload, Guid.NewGuid());

    /// <summary>Tells of something that must not be lost, and waits until the broker has it. To be sent again where that fails, by the same id.</summary>
    /// <param name="eventType">Such as <c>rbdbackup.backup.exists</c>.</param>
    /// <param name="payload">What it is about.</param>
    /// <param name="id">The message's id, by which collectors know what they have.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException">The broker does not take it.</exception>
    public Task SendAsync(string eventType, JsonObject payload, Guid id, CancellationToken cancel)
    {
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Publish(eventType, "INFO", payload, id, sent);
        return sent.Task.WaitAsync(cancel);
    }

    /// <summary>Sends what waits, for a few seconds at most, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await Task.WhenAny(_running, Task.Delay(LastWord, _clock));
        await _end.CancelAsync();
        await _running;
        await CloseAsync();
        _end.Dispose();
    }

    private static RbdBackupException TooMany() =>
        new(ErrorKind.Unavailable, $"more than {MostWaiting} events wait for the broker", "It is tried again.");

    private void Publish(string eventType, string priority, JsonObject payload, Guid id, TaskCompletionSource? sent = null)
    {
        var message = new JsonObject
        {
            ["message_id"] = id.ToString(),
            ["publisher_id"] = _publisherId,
            ["event_type"] = eventType,
            ["priority"] = priority,
            ["payload"] = payload,
            ["timestamp"] = _clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.ffffff"),
            ["_unique_id"] = id.ToString("N"),
        };
        var envelope = new JsonObject { ["oslo.version"] = "2.0", ["oslo.message"] = message.ToJsonString(Json) };
        if (!_waiting.Writer.TryWrite(new Waiting($"{_options.EventTopic}.{priority.ToLowerInvariant()}", Encoding.UTF8.GetBytes(envelope.ToJsonString(Json)), sent)))
        {
            sent?.TrySetCanceled();
        }
    }

    private async Task RunAsync(CancellationToken end)
    {
        try
        {
            await foreach (var waiting in _waiting.Reader.ReadAllAsync(end))
            {
                await SendAsync(waiting, end);
            }
        }
        catch (OperationCanceledException)
        {
            // There was no time for the rest.
        }
    }

    private async Task SendAsync(Waiting waiting, CancellationToken end)
    {
        try
        {
            var channel = _channel is { IsOpen: true } ? _channel : await OpenAsync(end);
            var properties = new BasicProperties { ContentType = "application/json", ContentEncoding = "utf-8", Persistent = true, Priority = 0 };
            await channel.BasicPublishAsync(_options.EventExchange, waiting.Key, mandatory: false, properties, waiting.Body, end);
            waiting.Sent?.TrySetResult();
            _saidFailure = false;
        }
        catch (Exception e) when (!end.IsCancellationRequested)
        {
            var error = BrokerErrors.Translate(e, "publish an event", _connector.Broker);
            if (waiting.Sent?.TrySetException(error) != true && !_saidFailure)
            {
                Log.EventsLost(_log, _connector.Broker, error.Message);
                _saidFailure = true;
            }

            await CloseAsync();
        }
    }

    private async Task<IChannel> OpenAsync(CancellationToken end)
    {
        await CloseAsync();
        _connection = await _connector.ConnectAsync(end);
        var channel = await _connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), end);
        await Topology.EnsureExchangeAsync(_connection, _options.EventExchange, _log, end);
        return _channel = channel;
    }

    private async Task CloseAsync()
    {
        if (_connection is { } old)
        {
            (_connection, _channel) = (null, null);
            await BrokerConnector.CloseAsync(old);
        }
    }

    /// <summary>An event that is to be sent.</summary>
    /// <param name="Key">The routing key.</param>
    /// <param name="Body">The message.</param>
    /// <param name="Sent">Completed when the broker has it, or does not take it; null where nobody waits for that.</param>
    private sealed record Waiting(string Key, byte[] Body, TaskCompletionSource? Sent);
}
