using System.Net;
using System.Threading.Channels;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Messaging.Tests;

/// <summary>The real broker of devstack/mini, behind a gate, with names of this test's own.</summary>
internal sealed class TestBroker : IAsyncDisposable
{
    private const string Variable = "RBDBACKUP_TEST_AMQP_URL";
    private readonly string prefix = $"test-{Guid.NewGuid():N}";
    private readonly List<string> queues = [];
    private IConnection connection = null!;

    private TestBroker()
    {
        var text = Environment.GetEnvironmentVariable(Variable)
            ?? throw new InvalidOperationException($"{Variable} is not set: eval \"$(devstack/mini/mini env)\" first.");
        Direct = TransportUrl.Parse(text);
        Gate = new TcpGate(Address);
        Url = Direct with { Hosts = [Direct.Hosts[0] with { Host = "127.0.0.1", Port = Gate.Port }] };
        Options = new MessagingOptions
        {
            QueuePrefix = prefix,
            Exchanges = [Nova, Cinder],
            DeliveryLimit = 3,
            RetryDelay = TimeSpan.Zero,
            ReconnectDelay = TimeSpan.FromMilliseconds(20),
            ReconnectMaxDelay = TimeSpan.FromMilliseconds(100),
        };
    }

    public TransportUrl Direct { get; }

    public TransportUrl Url { get; }

    public TcpGate Gate { get; }

    public MessagingOptions Options { get; init; }

    public LogProbe Log { get; } = new();

    public IChannel Admin { get; private set; } = null!;

    public string Nova => $"{prefix}.nova";

    public string Cinder => $"{prefix}.cinder";

    public IPEndPoint Address => new(IPAddress.Parse(Direct.Hosts[0].Host), Direct.Hosts[0].Port);

    public static async Task<TestBroker> StartAsync()
    {
        var broker = new TestBroker();
        var host = broker.Direct.Hosts[0];
        var factory = new ConnectionFactory
        {
            HostName = host.Host,
            Port = host.Port,
            UserName = host.User,
            Password = host.Password,
            VirtualHost = broker.Direct.VirtualHost,
        };
        broker.connection = await factory.CreateConnectionAsync();
        broker.Admin = await broker.connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        return broker;
    }

    public static BackupRequest Request(string image = "vms/disk") => BackupRequest.New(
        ImageSpec.Parse(image), DedupKey.Of(ImageSpec.Parse(image), "test", "1"), new AskedBy(AskedSource.Cli, User: "root"), TimeProvider.System.GetUtcNow());

    public NotificationListener Listener(MessagingOptions? options = null) => new(Url, options ?? Options, TimeProvider.System, Log);

    public JobQueue Jobs() => new(Url, Options, TimeProvider.System, Log);

    /// <summary>Publishes to a service's exchange as the service does.</summary>
    public async Task NotifyAsync(string exchange, string key, string body, CancellationToken cancel = default) => await Admin.BasicPublishAsync(
        exchange, key, mandatory: true, new BasicProperties { ContentType = "application/json", DeliveryMode = DeliveryModes.Persistent },
        System.Text.Encoding.UTF8.GetBytes(body), cancel);

    /// <summary>A queue of somebody else's, bound to a service's exchange as oslo.messaging does it.</summary>
    public async Task<string> OthersQueueAsync(string exchange, string key)
    {
        var queue = $"{prefix}.others.{key}";
        await Admin.ExchangeDeclareAsync(exchange, ExchangeType.Topic, durable: false, autoDelete: false);
        await Admin.QueueDeclareAsync(queue, durable: false, exclusive: false, autoDelete: false);
        await Admin.QueueBindAsync(queue, exchange, key);
        queues.Add(queue);
        return queue;
    }

    /// <summary>Waits for the next messages of a queue, and takes them.</summary>
    public async Task<BasicDeliverEventArgs> TakeAsync(string queue)
    {
        var taken = Channel.CreateUnbounded<BasicDeliverEventArgs>();
        await using var channel = await connection.CreateChannelAsync();
        await channel.BasicQosAsync(0, 1, false);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += async (_, e) => await taken.Writer.WriteAsync(new BasicDeliverEventArgs(
            e.ConsumerTag, e.DeliveryTag, e.Redelivered, e.Exchange, e.RoutingKey, new BasicProperties(e.BasicProperties), e.Body.ToArray()));
        var tag = await channel.BasicConsumeAsync(queue, autoAck: false, consumer);
        var message = await taken.Reader.ReadAsync().AsTask().Within();
        await channel.BasicCancelAsync(tag);
        await channel.BasicAckAsync(message.DeliveryTag, multiple: false);
        return message;
    }

    public static string Header(BasicDeliverEventArgs message, string name) =>
        System.Text.Encoding.UTF8.GetString((byte[])message.BasicProperties.Headers![name]!);

    public async Task<uint> CountAsync(string queue) => (await Admin.QueueDeclarePassiveAsync(queue)).MessageCount;

    public async ValueTask DisposeAsync()
    {
        foreach (var queue in (IEnumerable<string>)[Options.NotificationQueue, Options.ReleaseQueue, Options.JobQueue, Options.DeadQueue, .. queues])
        {
            await Admin.QueueDeleteAsync(queue);
        }

        await Admin.ExchangeDeleteAsync(Nova);
        await Admin.ExchangeDeleteAsync(Cinder);
        await connection.DisposeAsync();
        await Gate.DisposeAsync();
    }
}

/// <summary>Something that runs until its test ends.</summary>
internal sealed class Running : IAsyncDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly Task task;

    public Running(Func<CancellationToken, Task> run) => task = run(stop.Token);

    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await task.Within();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        stop.Dispose();
    }
}
