using System.Net;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Flurl.Http;

namespace RbdBackup.Http;

/// <summary>One request over HTTP: every answer that is no success is an <see cref="AnswerException"/>.</summary>
/// <param name="client">Whose connections are used; it is disposed with this.</param>
public sealed class ServiceHttp(HttpClient client) : IDisposable
{
    private readonly FlurlClient _client = new FlurlClient(client).WithSettings(settings =>
    {
        settings.AllowedHttpStatusRange = "*";
        settings.Redirects.Enabled = false;
        settings.Timeout = null;
    });

    /// <summary>A request to <paramref name="url"/>, whose path is escaped already.</summary>
    public IFlurlRequest Request(string url) => _client.Request(url);

    /// <summary>Sends a request; the caller disposes the answer.</summary>
    /// <exception cref="AnswerException">The answer is no success.</exception>
    /// <exception cref="HttpRequestException">There was none.</exception>
    public static async Task<IFlurlResponse> SendAsync(
        IFlurlRequest request, HttpMethod method, HttpContent? content, HttpCompletionOption completion, CancellationToken cancel)
    {
        IFlurlResponse answer;
        try
        {
            answer = await request.SendAsync(method, content, completion, cancel);
        }
        catch (FlurlHttpException e) when (e.InnerException is { } inner)
        {
            // Flurl's own exception holds the request, and so the token.
            ExceptionDispatchInfo.Throw(inner);
            throw;
        }
        if (answer.ResponseMessage.IsSuccessStatusCode)
        {
            return answer;
        }
        using (answer)
        {
            var id = answer.Headers.TryGetFirst("x-openstack-request-id", out var named) ? named : null;
            var detail = await ErrorText.ReadAsync(answer.ResponseMessage.Content, cancel);
            throw new AnswerException((HttpStatusCode)answer.StatusCode, RetryAfter(answer.ResponseMessage), detail, id);
        }
    }

    /// <summary>Reads an answer that is JSON. Flurl's own way asks types for their members as it runs, which a program that was compiled ahead can't.</summary>
    /// <exception cref="JsonException">It is none, or not of that type.</exception>
    public static async Task<T> ReadAsync<T>(IFlurlResponse answer, JsonTypeInfo<T> type)
    {
        await using var stream = await answer.GetStreamAsync();
        return await JsonSerializer.DeserializeAsync(stream, type) ?? throw new JsonException("it is null");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _client.Dispose();
        client.Dispose();
    }

    private static TimeSpan? RetryAfter(HttpResponseMessage answer) => answer.Headers.RetryAfter switch
    {
        { Delta: { } pause } => pause,
        { Date: { } then } when answer.Headers.Date is { } now && then > now => then - now,
        _ => null,
    };
}
