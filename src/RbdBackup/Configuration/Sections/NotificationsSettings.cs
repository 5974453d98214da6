#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>The brokers that the services' notifications come from.</summary>
[Section("notifications", "The brokers that carry Nova's and Cinder's notifications, and our own requests.")]
public sealed record NotificationsSettings
{
    [Option(
        null,
        "A broker, as in Nova's own configuration: rabbit://user:password@host:5672/vhost (or rabbits:// with TLS). One line for each "
            + "broker; requests go to the first.",
        WholeLines = true, Secret = true)]
    public required IReadOnlyList<string> TransportUrl { get; init; }

    [Option(null, "A file with one transport_url a line; mode 0640 or less. They are added to transport_url.")]
    public required string? TransportUrlFile { get; init; }

    [Option("nova, cinder, openstack", "The exchanges that our queue is bound to: the services' control_exchange. Cinder's is openstack unless its configuration says cinder.")]
    public required IReadOnlyList<string> Exchanges { get; init; }

    [Option(
        "notifications.info, notifications.error, versioned_notifications.info, versioned_notifications.error",
        "The routing keys it is bound with: <topic>.<priority>.")]
    public required IReadOnlyList<string> RoutingKeys { get; init; }

    [Option("rbdbackup", "What the names of our own queues begin with. Workers with the same prefix share the work.")]
    public required string QueuePrefix { get; init; }

    [Option("backup_", "What the metadata keys begin with that servers and volumes ask with: backup_policy, backup_now.")]
    public required string MetadataPrefix { get; init; }

    [Option(
        "true",
        "Whether we tell of our own backups and restores, as the services tell of theirs: rbdbackup.backup.start, .end, .error and "
            + "rbdbackup.restore.start, .end, .error, at the first broker.")]
    public required bool Events { get; init; }

    [Option(
        "true",
        "Whether workers tell once a day, after midnight UTC, what each disk has in the repository, for charging: rbdbackup.backup.exists. Only with events.")]
    public required bool EventsUsage { get; init; }

    [Option("rbdbackup", "The topic exchange of our own events; made as oslo.messaging would where it is missing.")]
    public required string EventsExchange { get; init; }

    [Option("notifications", "The topic of our own events: the routing keys are <topic>.info and <topic>.error.")]
    public required string EventsTopic { get; init; }

    [Option(null, "The certificates (PEM) that a broker's certificate is checked against. Without it, the system's.")]
    public required string? CaFile { get; init; }
}
