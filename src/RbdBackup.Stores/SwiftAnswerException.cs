using System.Net;

namespace RbdBackup.Stores;

/// <summary>A service's answer that is no success.</summary>
/// <param name="status">Its status.</param>
/// <param name="retryAfter">How long it asked us to wait; null where it did not.</param>
internal sealed class SwiftAnswerException(HttpStatusCode status, TimeSpan? retryAfter = null) : Exception($"the answer was {(int)status}")
{
    public HttpStatusCode Status { get; } = status;

    public TimeSpan? RetryAfter { get; } = retryAfter;
}

/// <summary>The service said that it stored an object, and does not show it as it was sent.</summary>
/// <param name="found">What it shows.</param>
internal sealed class SwiftReadBackException(string found) : Exception($"what was stored does not read back: {found}");
