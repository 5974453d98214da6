using System.Text.Json;
using System.Text.Json.Nodes;

namespace RbdBackup.Http;

/// <summary>What an OpenStack service says about a failure: <c>{"itemNotFound": {"code": 404, "message": "…"}}</c>, or the like.</summary>
internal static class ErrorText
{
    private const int MaxBytes = 65_536, MaxCharacters = 500;

    /// <summary>The message, in one line; null where the answer has none in that form, or can't be read.</summary>
    public static async Task<string?> ReadAsync(HttpContent content, CancellationToken cancel)
    {
        if (content.Headers.ContentType?.MediaType != "application/json" || content.Headers.ContentLength > MaxBytes)
        {
            return null;
        }
        var buffer = new byte[MaxBytes];
        try
        {
            var length = await (await content.ReadAsStreamAsync(cancel)).ReadAtLeastAsync(buffer, MaxBytes, throwOnEndOfStream: false, cancel);
            return MessageOf(JsonNode.Parse(buffer.AsSpan(0, length)));
        }
        catch (Exception e) when (e is JsonException or IOException or HttpRequestException)
        {
            return null;
        }
    }

    private static string? MessageOf(JsonNode? body)
    {
        var message = (body as JsonObject)?.Select(member => (member.Value as JsonObject)?["message"]).FirstOrDefault(found => found is JsonValue);
        if (message is not JsonValue value || !value.TryGetValue(out string? text) || string.IsNullOrWhiteSpace(text))
        {
            return null;
        }
        var line = string.Concat(text.Trim().TrimEnd('.').Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length > MaxCharacters ? line[..MaxCharacters] + "…" : line;
    }
}
