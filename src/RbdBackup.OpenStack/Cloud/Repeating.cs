using System.Net;
using Polly.Timeout;
using RbdBackup.Http;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>Which failures may pass, and which of them leave no doubt that nothing was done.</summary>
internal static class Repeating
{
    /// <summary>True where the same request may succeed a moment later.</summary>
    public static bool MayPass(Exception e) => e switch
    {
        _ when HttpClients.IsTrustFailure(e) => false,
        AnswerException answer => answer.Status
            is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests
            or (>= HttpStatusCode.InternalServerError and not (HttpStatusCode.NotImplemented or HttpStatusCode.HttpVersionNotSupported or HttpStatusCode.InsufficientStorage)),
        HttpRequestException or IOException or TimeoutRejectedException => true,
        _ => false,
    };

    /// <summary>True where, besides, the service did not begin with the request: it was not reached, or told us to come again.</summary>
    public static bool WasNotBegun(Exception e) => !HttpClients.IsTrustFailure(e) && e
        is AnswerException { Status: HttpStatusCode.TooManyRequests } or AnswerException { Status: HttpStatusCode.ServiceUnavailable, RetryAfter: not null }
        or HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError };
}
