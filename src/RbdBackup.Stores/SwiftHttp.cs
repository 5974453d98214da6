using System.Net;
using System.Runtime.ExceptionServices;
using Flurl.Http;

namespace RbdBackup.Stores;

/// <summary>One request over HTTP: every answer that is no success is a <see cref="SwiftAnswerException"/>.</summary>
internal sealed class SwiftHttp(string? caFile) : IDisposable
{
    private readonly FlurlClient _client = new FlurlClient(StoreHttp.CreateClient(caFile, "Swift")).WithSettings(settings =>
    {
        settings.AllowedHttpStatusRange = "*";
        settings.Redirects.Enabled = false;
        settings.Timeout = null;
    });

    /// <summary>A request to <paramref name="url"/>, whose path is escaped already.</summary>
    public IFlurlRequest Request(string url) => _client.Request(url);

    /// <summary>Sends a request; the caller disposes the answer.</summary>
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
            throw new SwiftAnswerException((HttpStatusCode)answer.StatusCode, RetryAfter(answer.ResponseMessage));
        }
    }

    public void Dispose() => _client.Dispose();

    private static TimeSpan? RetryAfter(HttpResponseMessage answer) => answer.Headers.RetryAfter switch
    {
        { Delta: { } pause } => pause,
        { Date: { } then } when answer.Headers.Date is { } now && then > now => then - now,
        _ => null,
    };
}
