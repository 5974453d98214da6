using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Polly.Timeout;
using RbdBackup.Core.Model;
using RbdBackup.Http;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>What to tell a person about a request that failed.</summary>
/// <param name="service">The service's name, such as <c>Nova</c>.</param>
/// <param name="address">Where it is.</param>
internal sealed class ServiceErrors(string service, string address)
{
    /// <summary>The error for <paramref name="e"/>, which ended <paramref name="doing"/> ("showing the server x").</summary>
    /// <param name="e">What happened.</param>
    /// <param name="doing">At what.</param>
    /// <param name="mayBeDone">True where an answer that did not come may hide that it was done.</param>
    /// <param name="secret">The token, which no text may show.</param>
    public RbdBackupException Translate(Exception e, string doing, bool mayBeDone, string? secret)
    {
        var failed = $"{service} at {address}: {doing} failed: ";
        return e switch
        {
            _ when HttpClients.IsTrustFailure(e) => new(ErrorKind.Unavailable, $"{failed}its certificate is not trusted.",
                "Give the authority's certificate as [keystone] cafile, and the service's URL by the name in its certificate.", e),
            AnswerException answer => TranslateAnswer(answer, failed, secret),
            TimeoutRejectedException slow => NoAnswer($"{failed}no answer in {slow.Timeout.TotalSeconds:0} s", mayBeDone, e),
            HttpRequestException { InnerException: SocketException } => NoAnswer(failed + e.Message, mayBeDone && !Repeating.WasNotBegun(e), e),
            _ when Repeating.MayPass(e) => NoAnswer(failed + e.GetBaseException().Message.TrimEnd('.'), mayBeDone && !Repeating.WasNotBegun(e), e),
            JsonException => new(ErrorKind.Unexpected,
                $"{failed}the answer is not what {service} documents: {e.Message}", "Check what stands between here and the service (a proxy?).", e),
            _ => new(ErrorKind.Unexpected, failed + e.Message, null, e),
        };
    }

    private RbdBackupException TranslateAnswer(AnswerException e, string failed, string? secret)
    {
        var said = e.Detail is { } detail ? $"{(int)e.Status}, {(secret is null ? detail : detail.Replace(secret, "***", StringComparison.Ordinal))}" : $"{(int)e.Status}";
        var message = failed + said + (e.RequestId is { } id ? $" ({id})." : ".");
        return e.Status switch
        {
            HttpStatusCode.RequestEntityTooLarge => NoQuota(message, e),
            HttpStatusCode.Forbidden when IsQuota(e.Detail) => NoQuota(message, e),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new(ErrorKind.Permission, message,
                $"Check the roles of [keystone]'s user: what concerns other projects needs admin, or {service}'s policy has to allow it.", e),
            HttpStatusCode.NotFound => new(ErrorKind.NotFound, message, "Check the id and the region; another project's is seen only with a role that may.", e),
            HttpStatusCode.Conflict => NotNow(message, e),
            HttpStatusCode.BadRequest when IsState(e.Detail) => NotNow(message, e),
            HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity => new(ErrorKind.Usage, message, "Correct what the message names.", e),
            HttpStatusCode.NotAcceptable => new(ErrorKind.Unsupported, message, null, e),
            _ when Repeating.MayPass(e) => NoAnswer(message.TrimEnd('.'), false, e),
            _ => new(ErrorKind.Unexpected, message, null, e),
        };
    }

    /// <summary>Cinder says of a volume's state what it says of a wrong request.</summary>
    private static bool IsState(string? detail) => detail is not null && detail.Contains("status must be", StringComparison.OrdinalIgnoreCase);

    private static RbdBackupException NotNow(string message, Exception e) =>
        new(ErrorKind.Busy, message, "It is in a state, or at work on something, that does not allow this: wait, then try again.", e);

    /// <summary>Nova says of a quota what it says of a missing right, but in words of its own.</summary>
    private static bool IsQuota(string? detail) =>
        detail is not null && (detail.Contains("quota", StringComparison.OrdinalIgnoreCase) || detail.StartsWith("Maximum number of", StringComparison.OrdinalIgnoreCase));

    private static RbdBackupException NoQuota(string message, Exception e) =>
        new(ErrorKind.NoSpace, message, "Raise the project's quota, or delete what is not needed.", e);

    private RbdBackupException NoAnswer(string message, bool mayBeDone, Exception e) => new(
        ErrorKind.Unavailable,
        mayBeDone ? $"{message}; whether it was done is not known." : $"{message}.",
        $"Check that {service} at {address} is up and can be reached from here, then try again.", e);
}
