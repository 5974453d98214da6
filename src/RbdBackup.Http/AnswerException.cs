using System.Net;

namespace RbdBackup.Http;

/// <summary>A service's answer that is no success. Its text holds the status alone.</summary>
/// <param name="status">Its status.</param>
/// <param name="retryAfter">How long it asked us to wait; null where it did not.</param>
/// <param name="detail">What it says about itself, in the form that OpenStack's services have; null where it says nothing in it.</param>
/// <param name="requestId">OpenStack's name for the request, by which it is found in the service's log; null where there is none.</param>
public sealed class AnswerException(HttpStatusCode status, TimeSpan? retryAfter = null, string? detail = null, string? requestId = null)
    : Exception($"the answer was {(int)status}")
{
    /// <summary>The answer's status.</summary>
    public HttpStatusCode Status { get; } = status;

    /// <summary>How long the service asked us to wait; null where it did not.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>The service's own words, one line; null where it has none.</summary>
    public string? Detail { get; } = detail;

    /// <summary>Such as <c>req-1f1e…</c>; null where there is none.</summary>
    public string? RequestId { get; } = requestId;
}
