namespace RbdBackup.Messaging;

/// <summary>Names and bounds of what we have at a broker.</summary>
public sealed record MessagingOptions
{
    /// <summary>What the names of our own queues begin with.</summary>
    public string QueuePrefix { get; init; } = "rbdbackup";

    /// <summary>The services' exchanges (<c>control_exchange</c>).</summary>
    public IReadOnlyList<string> Exchanges { get; init; } = ["nova", "cinder", "openstack"];

    /// <summary>The routing keys of which we take a copy: <c>TOPIC.PRIORITY</c>.</summary>
    public IReadOnlyList<string> RoutingKeys { get; init; } =
        ["notifications.info", "versioned_notifications.info", "rbdbackup.info", "rbdbackup_versioned.info"];

    /// <summary>The topic exchange of our own events.</summary>
    public string EventExchange { get; init; } = "rbdbackup";

    /// <summary>The topic of our own events; the routing key is <c>TOPIC.info</c> or <c>TOPIC.error</c>.</summary>
    public string EventTopic { get; init; } = "notifications";

    /// <summary>How many notifications are handled at once.</summary>
    public ushort NotificationPrefetch { get; init; } = 16;

    /// <summary>How many of the copies that the release consumer reads: one whose image does not answer, or that waits to be tried again, keeps its place
    /// meanwhile, and the others must not wait for it.</summary>
    public ushort ReleasePrefetch { get; init; } = 128;

    /// <summary>How often a message is delivered before it becomes a dead letter; 2 to <see cref="Topology.BrokerDeliveryLimit"/>.</summary>
    public int DeliveryLimit { get; init; } = 10;

    /// <summary>The pause before a failed message is delivered again; doubled each time, to at most a minute.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a publisher waits for the broker, connection and confirmation each.</summary>
    public TimeSpan PublishTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The first pause before a lost broker is tried again; grows to <see cref="ReconnectMaxDelay"/>, with jitter.</summary>
    public TimeSpan ReconnectDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest such pause.</summary>
    public TimeSpan ReconnectMaxDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often bindings are made again while all is well: an exchange that somebody deleted took ours with it, without a word.</summary>
    public TimeSpan RebindInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The queue of copies of the services' notifications.</summary>
    public string NotificationQueue => $"{QueuePrefix}.notifications";

    /// <summary>The queue of the copies that the release consumer reads.</summary>
    public string ReleaseQueue => $"{QueuePrefix}.release";

    /// <summary>The queue of requests.</summary>
    public string JobQueue => $"{QueuePrefix}.jobs";

    /// <summary>The queue of dead letters.</summary>
    public string DeadQueue => $"{QueuePrefix}.dead";
}
