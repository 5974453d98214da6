using System.Text.Json;

namespace RbdBackup.OpenStack;

/// <summary>What notifications mean for us. Pure: the same notification and options give the same events.</summary>
public static class NotificationMeaning
{
    private const int MaxValueLength = 255;

    /// <summary>The events in a notification, at least one (<see cref="Ignored"/> with its reason where there is nothing to do).</summary>
    public static IReadOnlyList<DiskEvent> Of(Notification notification, MeaningOptions options)
    {
        ArgumentNullException.ThrowIfNull(notification);
        ArgumentNullException.ThrowIfNull(options);
        try
        {
            return [notification.Format switch
            {
                NotificationFormat.NovaLegacy or NotificationFormat.NovaVersioned => NovaMeaning.Of(notification, options),
                NotificationFormat.Cinder => CinderMeaning.Of(notification, options),
                _ => new Ignored("concerns no server and no volume", Origin(notification)),
            }];
        }
        catch (InvalidOperationException)
        {
            return [new Ignored("its payload holds text that is not Unicode", Origin(notification))];
        }
    }

    internal static EventOrigin Origin(Notification n) => new(
        n.EventType, n.MessageId, n.RequestId, n.Timestamp, Token(n.Payload.Text("tenant_id")), Token(n.Payload.Text("user_id")));

    /// <summary>An id that must be a UUID in its usual form, since it becomes part of an image's name.</summary>
    internal static Guid? Uuid(JsonElement payload, string member) =>
        payload.Text(member) is { } text && Guid.TryParseExact(text, "D", out var id) && id.ToString("D") == text ? id : null;

    /// <summary>The policy that metadata names: null where it names none, or an event that says why it is no name.</summary>
    internal static DiskEvent Policy(DiskRef disk, IReadOnlyDictionary<string, string> metadata, PolicyCause cause, MeaningOptions options, EventOrigin origin)
    {
        var policy = metadata.GetValueOrDefault(options.PolicyKey);
        return policy is null or { Length: > 0 and <= MaxValueLength } && !(policy ?? "").Any(char.IsControl)
            ? new PolicySeen(disk, policy, cause, origin)
            : new Ignored($"its {options.PolicyKey} is empty, longer than {MaxValueLength} characters, or holds control characters", origin);
    }

    // Projects' and users' ids are opaque (LDAP makes its own), but they go into logs and manifests.
    private static string? Token(string? text) =>
        text is { Length: > 0 and <= 64 } && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') ? text : null;
}
