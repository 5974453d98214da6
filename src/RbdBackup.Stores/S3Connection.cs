using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using RbdBackup.Core.Model;
using RbdBackup.Http;

namespace RbdBackup.Stores;

/// <summary>Makes the AWS SDK's client: no retries, deadlines or checksums of its own, so that each has one place, in <see cref="S3Store"/>.</summary>
internal sealed class S3Connection : IDisposable
{
    private readonly Http _http;

    public S3Connection(S3Options options)
    {
        _http = new Http(options.CaFile);
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle ?? options.Endpoint is not null,
            // radosgw can't read the trailing checksums that the SDK would send by itself.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            MaxErrorRetry = 0,
            Timeout = Timeout.InfiniteTimeSpan,
            HttpClientFactory = _http,
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
        Client = (options.AccessKey, options.SecretKey) switch
        {
            (null, null) => new AmazonS3Client(config),
            ({ } access, { } secret) => new AmazonS3Client(new BasicAWSCredentials(access, secret), config),
            _ => throw new RbdBackupException(ErrorKind.Usage, "Of the S3 access key and secret key only one is given.", "Give both, or none."),
        };
    }

    public AmazonS3Client Client { get; }

    public void Dispose()
    {
        Client.Dispose();
        _http.Dispose();
    }

    private static string Endpoint(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0
            ? url
            : throw new RbdBackupException(ErrorKind.Usage, "The S3 endpoint is no URL like https://host:port.", "Correct it; keys have options of their own.");

    /// <summary>One HTTP client, and so one pool of connections, for as long as the store is open.</summary>
    private sealed class Http(string? caFile) : HttpClientFactory, IDisposable
    {
        private readonly HttpClient _client = HttpClients.Create(caFile, "S3");

        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => _client;

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

        public void Dispose() => _client.Dispose();
    }
}
