using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace RbdBackup.OpenStack.Tests;

/// <summary>A real message with something changed in it.</summary>
internal static class Message
{
    /// <summary>The capture's message, opened, changed and closed again.</summary>
    public static byte[] Changed(string capture, Action<JsonObject> change)
    {
        var envelope = JsonNode.Parse(Capture.Named(capture).Body)!.AsObject();
        var message = JsonNode.Parse((string)envelope["oslo.message"]!)!.AsObject();
        change(message);
        envelope["oslo.message"] = message.ToJsonString();
        return JsonSerializer.SerializeToUtf8Bytes(envelope);
    }

    /// <summary>What the capture means with its payload changed.</summary>
    public static DiskEvent MeaningWith(string capture, Action<JsonObject> changePayload, MeaningOptions? options = null) =>
        Assert.Single(NotificationMeaning.Of(NotificationParser.Parse(Changed(capture, m => changePayload(Data(m))), null), options ?? new MeaningOptions()));

    /// <summary>An envelope around any text.</summary>
    public static byte[] Envelope(string message) =>
        Encoding.UTF8.GetBytes(new JsonObject { ["oslo.version"] = "2.0", ["oslo.message"] = message }.ToJsonString());

    private static JsonObject Data(JsonObject message)
    {
        var payload = message["payload"]!.AsObject();
        return payload["nova_object.data"]?.AsObject() ?? payload;
    }
}
