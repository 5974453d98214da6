using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using RbdBackup.Core.Model;

namespace RbdBackup.Http;

/// <summary>How services are spoken to: one pool of connections a client, no redirects, and authorities of one's own where they are given.</summary>
public static class HttpClients
{
    /// <summary>Makes a client without a deadline of its own; <see cref="Retries"/> have one.</summary>
    /// <param name="caFile">A PEM file with the authorities that alone count; null for the system's.</param>
    /// <param name="service">The service's name, for errors.</param>
    /// <param name="reuse">
    /// False for a new connection for each request. A request on a connection that the service is just closing is lost, and nobody can tell whether it was begun.
    /// </param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/> where <paramref name="caFile"/> can't be used.</exception>
    public static HttpClient Create(string? caFile, string service, bool reuse = true)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(15),
            PooledConnectionLifetime = reuse ? TimeSpan.FromMinutes(10) : TimeSpan.Zero,
            ConnectCallback = PromptStream.ConnectAsync,
        };
        if (caFile is not null)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(Authorities(caFile, service));
            handler.SslOptions.CertificateChainPolicy = policy;
        }
        return new HttpClient(new ExpectOnlyWithMuch(handler)) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>True where <paramref name="e"/> comes of a certificate that is not trusted.</summary>
    public static bool IsTrustFailure(Exception e) => e is AuthenticationException || (e.InnerException is { } inner && IsTrustFailure(inner));

    private static X509Certificate2Collection Authorities(string file, string service)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new RbdBackupException(ErrorKind.Usage, $"The {service} CA file {file} can't be read: {e.Message}", "Give a PEM file.", e);
        }
        return authorities.Count > 0
            ? authorities
            : throw new RbdBackupException(ErrorKind.Usage, $"The {service} CA file {file} holds no certificate.", "Give a PEM file.");
    }

    /// <summary>
    /// Uploads are announced with "Expect: 100-continue", so that a refused one is not sent in vain. .NET sends up to 1024 bytes after the refusal
    /// all the same, and radosgw takes them for the start of the next request on that connection: small uploads go without.
    /// </summary>
    private sealed class ExpectOnlyWithMuch(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        private const int SentAfterRefusal = 1024;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Content?.Headers.ContentLength <= SentAfterRefusal)
            {
                request.Headers.ExpectContinue = false;
            }
            return base.SendAsync(request, cancellationToken);
        }
    }
}
