using System.Text.Json;
using System.Text.RegularExpressions;

namespace RbdBackup.OpenStack;

/// <summary>Opens oslo.messaging's envelope 2.0. Whatever the bytes are, the answer is a notification or an error with its reason.</summary>
public static partial class NotificationParser
{
    /// <summary>The longest message that is read, in bytes. Real ones have 3 to 10 thousand.</summary>
    public const int MaxBytes = 1024 * 1024;

    // Real ones reach 6.
    private const int MaxDepth = 32;
    private const int MaxNameLength = 255;

    // Two values for one key are a way to show one thing to a filter and another to the reader behind it.
    private static readonly JsonDocumentOptions JsonOptions = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    /// <summary>Reads a message.</summary>
    /// <param name="body">The body, as it came.</param>
    /// <param name="contentType">The message's content type; null where it had none.</param>
    /// <exception cref="NotificationException">Not a notification.</exception>
    public static Notification Parse(ReadOnlyMemory<byte> body, string? contentType)
    {
        if (contentType is not null && !IsJson(contentType))
        {
            throw new NotificationException("its content type is not application/json");
        }

        if (body.Length > MaxBytes)
        {
            throw new NotificationException($"it has {body.Length} bytes, more than {MaxBytes}");
        }

        try
        {
            using var envelope = JsonDocument.Parse(body, JsonOptions);
            using var message = JsonDocument.Parse(OpenEnvelope(envelope.RootElement), JsonOptions);
            return Read(message.RootElement);
        }
        catch (JsonException e)
        {
            // Not the reader's own message: it quotes what it read, and that may be a token.
            throw new NotificationException($"its JSON is broken, nested deeper than {MaxDepth} or repeats a key, at byte {e.BytePositionInLine}");
        }
        catch (InvalidOperationException)
        {
            throw new NotificationException("its JSON holds text that is not Unicode");
        }
    }

    private static bool IsJson(string contentType) =>
        contentType.Split(';', 2)[0].Trim().Equals("application/json", StringComparison.OrdinalIgnoreCase);

    private static string OpenEnvelope(JsonElement envelope)
    {
        if (envelope.ValueKind != JsonValueKind.Object)
        {
            throw new NotificationException("its body is no JSON object");
        }

        var version = envelope.Text("oslo.version") ?? throw new NotificationException("its envelope has no oslo.version");
        if (!EnvelopeVersion().IsMatch(version))
        {
            throw new NotificationException("its envelope is not of version 2");
        }

        return envelope.Text("oslo.message") ?? throw new NotificationException("its envelope has no oslo.message");
    }

    private static Notification Read(JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            throw new NotificationException("its oslo.message is no JSON object");
        }

        var eventType = Required(message, "event_type");
        var publisher = Required(message, "publisher_id");
        var messageId = Required(message, "message_id");
        if (!OpenStackTime.TryParse(message.Text("timestamp"), out var timestamp))
        {
            throw new NotificationException("its timestamp is missing or in no spelling that is known");
        }

        if (!message.TryGetProperty("payload", out var payload))
        {
            throw new NotificationException("it has no payload");
        }

        var format = FormatOf(eventType);
        if (format != NotificationFormat.Other && payload.ValueKind != JsonValueKind.Object)
        {
            throw new NotificationException("its payload is no JSON object");
        }

        if (format == NotificationFormat.NovaVersioned)
        {
            payload = payload.VersionedData() ?? throw new NotificationException("its payload is no nova_object of major version 1 or 2");
        }

        var requestId = message.Text("_context_request_id");
        return new Notification(
            format, eventType, publisher, messageId, timestamp, requestId is not null && IsName(requestId) ? requestId : null, payload.Clone());
    }

    private static NotificationFormat FormatOf(string eventType) => eventType.Split('.') switch
    {
        ["compute", "instance", _, ..] => NotificationFormat.NovaLegacy,
        ["instance", _, ..] => NotificationFormat.NovaVersioned,
        ["volume" or "snapshot", _, ..] => NotificationFormat.Cinder,
        _ => NotificationFormat.Other,
    };

    private static string Required(JsonElement message, string name) => message.Text(name) switch
    {
        null or "" => throw new NotificationException($"it has no {name}"),
        var text when !IsName(text) => throw new NotificationException($"its {name} is longer than {MaxNameLength} characters or holds control characters"),
        var text => text,
    };

    private static bool IsName(string text) => text.Length is > 0 and <= MaxNameLength && !text.Any(char.IsControl);

    [GeneratedRegex(@"^2\.[0-9]{1,4}\z", RegexOptions.CultureInvariant)]
    private static partial Regex EnvelopeVersion();
}
