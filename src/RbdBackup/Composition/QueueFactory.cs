using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Messaging;

namespace RbdBackup.Composition;

/// <summary>Opens the queue of jobs.</summary>
internal static class QueueFactory
{
    /// <summary>The queue at the first configured broker.</summary>
    public static JobQueue Open(RbdBackupSettings settings, ILoggerFactory loggers, TimeProvider time) =>
        new(Urls(settings)[0], Options(settings), time, loggers.CreateLogger<JobQueue>());

    /// <summary>The configured brokers; at least one.</summary>
    public static IReadOnlyList<TransportUrl> Urls(RbdBackupSettings settings) =>
        settings.Notifications.TransportUrl.Count > 0
            ? [.. settings.Notifications.TransportUrl.Select(TransportUrl.Parse).Select(u => WithAuthority(u, settings.Notifications.CaFile))]
            : throw new RbdBackupException(ErrorKind.Usage, "no broker is configured", "Set [notifications] transport_url = rabbit://user:password@host:5672/vhost.");

    /// <summary>A broker that is reached with TLS, and whose URL names no authority, is checked against the configured one.</summary>
    private static TransportUrl WithAuthority(TransportUrl url, string? caFile) =>
        url.Tls is { CaFile: null } tls && caFile is not null ? url with { Tls = tls with { CaFile = caFile } } : url;

    /// <summary>Where we tell of our own work; null where no broker is configured, or nobody is to be told.</summary>
    public static EventPublisher? OpenEvents(RbdBackupSettings settings, ILoggerFactory loggers, TimeProvider time) =>
        settings.Notifications.Events && settings.Notifications.TransportUrl.Count > 0
            ? new EventPublisher(Urls(settings)[0], Options(settings), Environment.MachineName, time, loggers.CreateLogger<EventPublisher>())
            : null;

    /// <summary>How brokers are used.</summary>
    public static MessagingOptions Options(RbdBackupSettings settings) => new()
    {
        QueuePrefix = settings.Notifications.QueuePrefix,
        Exchanges = settings.Notifications.Exchanges,
        RoutingKeys = settings.Notifications.RoutingKeys,
        EventExchange = settings.Notifications.EventsExchange,
        EventTopic = settings.Notifications.EventsTopic,
    };
}
