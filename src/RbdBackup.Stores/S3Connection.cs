using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using RbdBackup.Core.Model;

namespace RbdBackup.Stores;

/// <summary>Makes the AWS SDK's client: no retries, deadlines or checksums of its own, so that each has one place, in <see cref="S3Store"/>.</summary>
internal static class S3Connection
{
    public static AmazonS3Client Open(S3Options options)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle ?? options.Endpoint is not null,
            // radosgw can't read the trailing checksums that the SDK would send by itself.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            MaxErrorRetry = 0,
            Timeout = Timeout.InfiniteTimeSpan,
            HttpClientFactory = new Http(Authorities(options.CaFile)),
        };
        if (options.Endpoint is null)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        }
        else
        {
            config.ServiceURL = Endpoint(options.Endpoint);
            config.AuthenticationRegion = options.Region;
        }
        return (options.AccessKey, options.SecretKey) switch
        {
            (null, null) => new AmazonS3Client(config),
            ({ } access, { } secret) => new AmazonS3Client(new BasicAWSCredentials(access, secret), config),
            _ => throw new RbdBackupException(ErrorKind.Usage, "Of the S3 access key and secret key only one is given.", "Give both, or none."),
        };
    }

    private static string Endpoint(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0
            ? url
            : throw new RbdBackupException(ErrorKind.Usage, "The S3 endpoint is no URL like https://host:port.", "Correct it; keys have options of their own.");

    private static X509Certificate2Collection? Authorities(string? file)
    {
        if (file is null)
        {
            return null;
        }
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new RbdBackupException(ErrorKind.Usage, $"The S3 CA file {file} can't be read: {e.Message}", "Give a PEM file.", e);
        }
        return authorities.Count > 0
            ? authorities
            : throw new RbdBackupException(ErrorKind.Usage, $"The S3 CA file {file} holds no certificate.", "Give a PEM file.");
    }

    private sealed class Http(X509Certificate2Collection? authorities) : HttpClientFactory
    {
        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

        public override HttpClient CreateHttpClient(IClientConfig clientConfig)
        {
            var handler = new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                ConnectTimeout = TimeSpan.FromSeconds(15),
                PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            };
            if (authorities is not null)
            {
                var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                policy.CustomTrustStore.AddRange(authorities);
                handler.SslOptions.CertificateChainPolicy = policy;
            }
            return new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        }
    }
}
