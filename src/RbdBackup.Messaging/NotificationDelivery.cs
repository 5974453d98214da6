namespace RbdBackup.Messaging;

/// <summary>A copy of a service's notification, as the broker delivered it.</summary>
/// <param name="Body">The body; valid until the handler returns.</param>
/// <param name="ContentType">Its content type; null where it has none.</param>
/// <param name="Exchange">The exchange that it was published to.</param>
/// <param name="RoutingKey">The routing key that it was published with.</param>
/// <param name="Count">Which delivery of the message this is; 1 for the first.</param>
public sealed record NotificationDelivery(ReadOnlyMemory<byte> Body, string? ContentType, string Exchange, string RoutingKey, int Count);

/// <summary>
/// Handles a notification. Returning acknowledges it. An error of kind <c>Corrupt</c> or <c>Unsupported</c> makes it a dead letter at once; any other
/// is tried again. Called for several messages at a time, in no order; the same message may come again.
/// </summary>
public delegate Task NotificationHandler(NotificationDelivery notification, CancellationToken stop);
