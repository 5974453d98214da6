using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using RabbitMQ.Client;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging;

/// <summary>oslo.messaging's <c>ssl_*</c> options. The broker's certificate and name are always checked.</summary>
/// <param name="CaFile">The authority that signed the broker's certificate (<c>ssl_ca_file</c>), PEM; null for the machine's own authorities.</param>
/// <param name="CertFile">Our own certificate (<c>ssl_cert_file</c>), PEM; null for none.</param>
/// <param name="KeyFile">Its key (<c>ssl_key_file</c>), PEM; null where it stands in <paramref name="CertFile"/>.</param>
public sealed record TlsFiles(string? CaFile, string? CertFile, string? KeyFile)
{
    internal static TlsFiles From(IReadOnlyDictionary<string, string> options) =>
        new(options.GetValueOrDefault("ssl_ca_file"), options.GetValueOrDefault("ssl_cert_file"), options.GetValueOrDefault("ssl_key_file"));

    /// <summary>The client library's options for one node.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: a file can't be read or holds no certificate.</exception>
    internal SslOption For(string host)
    {
        var option = new SslOption { Enabled = true, ServerName = host, Version = SslProtocols.None };
        if (CertFile is not null)
        {
            option.Certs = [Read(CertFile, () => X509Certificate2.CreateFromPemFile(CertFile, KeyFile))];
        }

        if (CaFile is not null)
        {
            var authorities = new X509Certificate2Collection();
            Read(CaFile, () =>
            {
                authorities.ImportFromPemFile(CaFile);
                return authorities;
            });
            option.CertificateValidationCallback = (_, certificate, chain, errors) => IsTrusted(certificate, chain, errors, authorities);
        }

        return option;
    }

    // The machine's authorities don't know a private one: the chain is built again on that one alone. A wrong name stays wrong.
    private static bool IsTrusted(X509Certificate? certificate, X509Chain? sent, SslPolicyErrors errors, X509Certificate2Collection authorities)
    {
        if (certificate is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != 0)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        foreach (var element in sent?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
        {
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        }

        using var own = new X509Certificate2(certificate);
        return chain.Build(own);
    }

    private static T Read<T>(string file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new RbdBackupException(ErrorKind.Usage, $"The certificate file {file} can't be used: {e.Message}", "Name a readable PEM file.", e);
        }
    }
}
