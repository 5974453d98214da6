using Microsoft.Extensions.Logging;

namespace RbdBackup.Messaging;

/// <summary>
/// Listens to the services' notifications at one broker, by copies in queues of our own: nothing is taken from anybody else's. Two consumers that share
/// nothing, each with its own queue, connection and channel: one for everything, and one for releases, which waits behind nothing.
/// A cloud with several brokers has one listener for each.
/// </summary>
public sealed class NotificationListener
{
    private readonly NotificationConsumer notifications;
    private readonly NotificationConsumer releases;

    /// <summary>Makes a listener; <see cref="RunAsync"/> starts it.</summary>
    public NotificationListener(TransportUrl url, MessagingOptions options, TimeProvider clock, ILogger log)
    {
        ArgumentNullException.ThrowIfNull(options);
        notifications = new NotificationConsumer(url, "notifications", options.NotificationQueue, options.NotificationPrefetch, keepsUnreadable: true, options, clock, log);

        // What can't be read lies in both queues: one dead letter of it is enough.
        releases = new NotificationConsumer(url, "release", options.ReleaseQueue, options.ReleasePrefetch, keepsUnreadable: false, options, clock, log);
    }

    /// <summary>How the two links are.</summary>
    public IReadOnlyList<LinkStatus> Status => [notifications.Status, releases.Status];

    /// <summary>
    /// Runs until <paramref name="stop"/>, then waits for the handlers that are running. A broker that is down is waited for, now and later.
    /// </summary>
    /// <param name="handle">Handles each notification; may take its time.</param>
    /// <param name="release">Handles each notification as well, but only releases what has to be released, at once.</param>
    /// <param name="stop">Ends it.</param>
    public Task RunAsync(NotificationHandler handle, NotificationHandler release, CancellationToken stop) =>
        Task.WhenAll(notifications.RunAsync(handle, stop), releases.RunAsync(release, stop));
}
