using System.Net;
using Amazon.Runtime;
using Polly.Timeout;
using RbdBackup.Core.Model;
using RbdBackup.Http;

namespace RbdBackup.Stores;

/// <summary>What a failed request means: whether it may be tried again, and what to tell a person.</summary>
/// <param name="bucket">The bucket's name.</param>
/// <param name="endpoint">The service's address, for people.</param>
/// <param name="asked">What uploads ask for beyond being stored; null for nothing.</param>
internal sealed class S3Errors(string bucket, string endpoint, string? asked)
{
    /// <summary>True where the same request may succeed a moment later. Damage on the way counts: the service has refused it whole.</summary>
    public static bool IsTransient(Exception e) => e switch
    {
        _ when HttpClients.IsTrustFailure(e) => false,
        AmazonServiceException { ErrorCode: "BadDigest" or "XAmzContentSHA256Mismatch" or "RequestTimeout" or "SlowDown" } => true,
        AmazonServiceException { StatusCode: HttpStatusCode.InsufficientStorage } => false,
        AmazonServiceException { StatusCode: HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError } => true,
        AmazonServiceException { StatusCode: 0, InnerException: { } inner } => IsTransient(inner),
        HttpRequestException or IOException or TimeoutRejectedException => true,
        _ => false,
    };

    /// <summary>The error for <paramref name="e"/>, which ended <paramref name="doing"/> ("reading the object x").</summary>
    public RbdBackupException Translate(Exception e, string doing)
    {
        var failed = $"S3: {doing} in bucket '{bucket}' at {endpoint} failed: ";
        return e switch
        {
            _ when HttpClients.IsTrustFailure(e) => new(ErrorKind.Unavailable,
                $"{failed}its certificate is not trusted.", "Give the authority's certificate as the S3 CA file, and the endpoint by the name in its certificate.", e),
            AmazonServiceException answer when (int)answer.StatusCode >= 300 => TranslateAnswer(answer, failed),
            TimeoutRejectedException => Unavailable($"{failed}no answer in {((TimeoutRejectedException)e).Timeout.TotalSeconds:0} s.", e),
            _ when IsTransient(e) => Unavailable($"{failed}{e.GetBaseException().Message}", e),
            AmazonClientException => new(ErrorKind.Permission,
                failed + e.Message, "Give the access key and the secret key in the configuration or as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", e),
            _ => new(ErrorKind.Unexpected, failed + e.Message, null, e),
        };
    }

    private RbdBackupException TranslateAnswer(AmazonServiceException e, string failed) => (e.ErrorCode, e.StatusCode) switch
    {
        ("NoSuchBucket", _) => new(ErrorKind.NotFound, $"{failed}there is no such bucket.", "Make the bucket, or correct the store's URL.", e),
        (_, HttpStatusCode.NotFound) => new(ErrorKind.NotFound, $"{failed}there is no such object.", null, e),
        ("InvalidRange", _) => new(ErrorKind.Corrupt, $"{failed}the object ends before the range that was asked for.", null, e),
        ("BadDigest" or "XAmzContentSHA256Mismatch", _) =>
            new(ErrorKind.Corrupt, $"{failed}the data was damaged on the way, again and again.", "Check the network and the memory of both machines.", e),
        ("QuotaExceeded", _) or (_, HttpStatusCode.InsufficientStorage) =>
            new(ErrorKind.NoSpace, $"{failed}the quota is used up.", "Raise the quota or rotate, then run the same command again.", e),
        ("RequestTimeTooSkewed", _) => new(ErrorKind.Permission, $"{failed}the clocks differ too much.", "Set this machine's clock, and the service's.", e),
        (_, HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized) =>
            new(ErrorKind.Permission, $"{failed}{e.ErrorCode} {e.Message}".TrimEnd() + ".", $"Check the access key and the secret key, and what they may do in '{bucket}'.", e),
        (_, HttpStatusCode.BadRequest) when asked is not null =>
            new(ErrorKind.Usage, $"{failed}{e.ErrorCode}; uploads ask for {asked}.", "Check whether the service has that, and s3_storage_class and s3_sse.", e),
        _ when IsTransient(e) => Unavailable($"{failed}{(int)e.StatusCode} {e.ErrorCode}.", e),
        _ => new(ErrorKind.Unexpected, $"{failed}{(int)e.StatusCode} {e.ErrorCode}: {e.Message}", null, e),
    };

    private RbdBackupException Unavailable(string message, Exception e) =>
        new(ErrorKind.Unavailable, message, $"Check that {endpoint} is up and can be reached from here, then try again.", e);
}
