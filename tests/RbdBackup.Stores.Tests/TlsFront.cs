using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace RbdBackup.Stores.Tests;

/// <summary>
/// What stands before a service in real life: TLS under an authority of one's own, ending in front of the real service, and, where a test wants it,
/// a network that damages bytes or cuts connections.
/// </summary>
internal sealed class TlsFront : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly X509Certificate2 _certificate;
    private readonly Uri _service;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public TlsFront(string service)
    {
        _service = new Uri(service);
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Test authority", authorityKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        CaFile = Path.GetTempFileName();
        File.WriteAllText(CaFile, authority.ExportCertificatePem());
        _certificate = Certify(authority);
        _listener.Start();
        _running = RunAsync();
    }

    public string CaFile { get; }

    public string Endpoint => $"https://localhost:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>May change what goes to the service; false cuts the connection.</summary>
    public Func<Memory<byte>, bool> ToService { get; set; } = _ => true;

    /// <summary>May change what comes back; false cuts the connection.</summary>
    public Func<Memory<byte>, bool> ToClient { get; set; } = _ => true;

    /// <summary>Whole answers that the front gives by itself, one a connection, before the service is asked: as a load balancer does.</summary>
    public ConcurrentQueue<string> Answers { get; } = new();

    /// <summary>How many connections were made.</summary>
    public int Connections { get; private set; }

    public async ValueTask DisposeAsync()
    {
        // Cancelled, not only stopped: a listener that stops between two calls answers the next one with another error each time.
        await _stop.CancelAsync();
        await _running;
        _listener.Dispose();
        _stop.Dispose();
        _certificate.Dispose();
        File.Delete(CaFile);
    }

    private static X509Certificate2 Certify(X509Certificate2 authority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(authority, authority.NotBefore, authority.NotAfter, [1, 2, 3, 4]);
        return certificate.CopyWithPrivateKey(key);
    }

    private async Task RunAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
                Connections++;
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
        await Task.WhenAll(connections);
    }

    private async Task ServeAsync(TcpClient accepted)
    {
        using var client = accepted;
        using var service = new TcpClient();
        try
        {
            using var plain = new SslStream(client.GetStream());
            await plain.AuthenticateAsServerAsync(_certificate);
            if (Answers.TryDequeue(out var answer))
            {
                _ = await plain.ReadAsync(new byte[65_536]);
                await plain.WriteAsync(Encoding.ASCII.GetBytes(answer));
                return;
            }
            await service.ConnectAsync(_service.Host, _service.Port);
            await Task.WhenAny(
                CopyAsync(plain, service.GetStream(), part => ToService(part)),
                CopyAsync(service.GetStream(), plain, part => ToClient(part)));
        }
        catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
        {
            // The client went away, or did not trust us.
        }
    }

    private static async Task CopyAsync(Stream from, Stream to, Func<Memory<byte>, bool> pass)
    {
        var buffer = new byte[65_536];
        int read;
        while ((read = await from.ReadAsync(buffer)) > 0 && pass(buffer.AsMemory(0, read)))
        {
            await to.WriteAsync(buffer.AsMemory(0, read));
            await to.FlushAsync();
        }
    }
}
