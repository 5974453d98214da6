using System.Net;
using System.Net.Sockets;
using Polly.Timeout;
using RbdBackup.Core.Model;
using RbdBackup.Http;

namespace RbdBackup.Stores;

/// <summary>What a failed request means: whether it may be tried again, and what to tell a person.</summary>
/// <param name="container">The container's name.</param>
/// <param name="address">Where we log in, for people.</param>
internal sealed class SwiftErrors(string container, string address)
{
    /// <summary>Swift's middleware for limits has a number of its own.</summary>
    private const HttpStatusCode RateLimited = (HttpStatusCode)498;

    /// <summary>
    /// True where the same request may succeed a moment later. A 202 and a 409 say that a newer object is there already, by the clock of
    /// another proxy; a 422 that the data was damaged on the way.
    /// </summary>
    public static bool IsTransient(Exception e) => e switch
    {
        _ when HttpClients.IsTrustFailure(e) => false,
        AnswerException { Status: HttpStatusCode.NotImplemented or HttpStatusCode.InsufficientStorage } => false,
        AnswerException answer => answer.Status
            is HttpStatusCode.Accepted or HttpStatusCode.Conflict or HttpStatusCode.UnprocessableEntity or HttpStatusCode.RequestTimeout
            or HttpStatusCode.TooManyRequests or RateLimited or >= HttpStatusCode.InternalServerError,
        SwiftReadBackException or HttpRequestException or IOException or TimeoutRejectedException => true,
        _ => false,
    };

    /// <summary>The error for <paramref name="e"/>, which ended <paramref name="doing"/> ("reading the object x").</summary>
    /// <param name="e">What happened.</param>
    /// <param name="doing">At what.</param>
    /// <param name="missing">What a 404 says is missing.</param>
    public RbdBackupException Translate(Exception e, string doing, string missing)
    {
        var failed = $"Swift: {doing} in container '{container}' by {address} failed: ";
        return e switch
        {
            _ when HttpClients.IsTrustFailure(e) => new(ErrorKind.Unavailable,
                $"{failed}its certificate is not trusted.", "Give the authority's certificate as the CA file, and the URL by the name in its certificate.", e),
            AnswerException answer => TranslateAnswer(answer, failed, missing),
            SwiftReadBackException => new(ErrorKind.Corrupt,
                failed + e.Message + ".", "Check what stands between here and the service (a proxy?), then run the same command again.", e),
            TimeoutRejectedException slow => Unavailable($"{failed}no answer in {slow.Timeout.TotalSeconds:0} s.", e),
            // This one's own message names host and port; it need not be the host that we log in at.
            HttpRequestException { InnerException: SocketException } => Unavailable(failed + e.Message, e),
            _ when IsTransient(e) => Unavailable($"{failed}{e.GetBaseException().Message}", e),
            _ => new(ErrorKind.Unexpected, failed + e.Message, null, e),
        };
    }

    private RbdBackupException TranslateAnswer(AnswerException e, string failed, string missing) => e.Status switch
    {
        HttpStatusCode.NotFound => new(ErrorKind.NotFound, $"{failed}there is no such {missing}.",
            missing.Contains("container", StringComparison.Ordinal) ? $"Make it (openstack container create {container}), or correct the store's URL." : null, e),
        HttpStatusCode.RequestedRangeNotSatisfiable => new(ErrorKind.Corrupt, $"{failed}the object ends before the range that was asked for.", null, e),
        HttpStatusCode.UnprocessableEntity =>
            new(ErrorKind.Corrupt, $"{failed}the data was damaged on the way, again and again.", "Check the network and the memory of both machines.", e),
        HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.InsufficientStorage =>
            new(ErrorKind.NoSpace, $"{failed}the quota is used up, or an object may not be that long.", "Raise the quota or rotate, then run the same command again.", e),
        HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized =>
            new(ErrorKind.Permission, $"{failed}{(int)e.Status}.", $"Check what the user may do in '{container}': its role in the project, or the container's ACL.", e),
        HttpStatusCode.Accepted or HttpStatusCode.Conflict => new(ErrorKind.Unavailable,
            $"{failed}{(int)e.Status}, a newer object stands under that key.", "The clocks of the service's proxies differ; have them set, then try again.", e),
        _ when IsTransient(e) => Unavailable($"{failed}{(int)e.Status}.", e),
        _ => new(ErrorKind.Unexpected, $"{failed}{(int)e.Status}.", null, e),
    };

    private RbdBackupException Unavailable(string message, Exception e) =>
        new(ErrorKind.Unavailable, message, $"Check that {address} and the service are up and can be reached from here, then try again.", e);
}
