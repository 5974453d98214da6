using System.Text.Json;

namespace RbdBackup.OpenStack;

/// <summary>Which service sent a notification, and in which of its formats.</summary>
public enum NotificationFormat
{
    /// <summary>Nova's flat payload, event types <c>compute.instance.*</c>.</summary>
    NovaLegacy,

    /// <summary>Nova's versioned objects, event types <c>instance.*</c>.</summary>
    NovaVersioned,

    /// <summary>Cinder's payload, event types <c>volume.*</c>, <c>snapshot.*</c>, <c>backup.*</c> …</summary>
    Cinder,

    /// <summary>Another service's, or an event that concerns no server and no volume.</summary>
    Other,
}

/// <summary>A notification as a service sent it (oslo.messaging envelope 2.0, opened). What it says is a claim, nothing more.</summary>
/// <param name="Format">The service and format.</param>
/// <param name="EventType">The event, in the service's own spelling.</param>
/// <param name="Publisher">Who sent it (<c>compute.HOST</c>, <c>volume.HOST@BACKEND</c>).</param>
/// <param name="MessageId">The message's id; another one in each format of the same event.</param>
/// <param name="Timestamp">When it was sent; UTC.</param>
/// <param name="RequestId">The request that caused it (<c>req-…</c>), the same in each format of the same event; null where there is none.</param>
/// <param name="Payload">The payload; for Nova's versioned format the outermost object's data.</param>
public sealed record Notification(
    NotificationFormat Format, string EventType, string Publisher, string MessageId, DateTimeOffset Timestamp, string? RequestId, JsonElement Payload);
