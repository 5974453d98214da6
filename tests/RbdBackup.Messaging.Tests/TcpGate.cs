using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace RbdBackup.Messaging.Tests;

/// <summary>A way to the real broker that a test can cut, shut and open again, as networks and restarts do; with a certificate, it speaks TLS to the client.</summary>
internal sealed class TcpGate : IAsyncDisposable
{
    private readonly IPEndPoint broker;
    private readonly X509Certificate2? certificate;
    private readonly List<Socket> sockets = [];
    private readonly Lock gate = new();
    private TcpListener listener;
    private Task accepting;

    public TcpGate(IPEndPoint broker, X509Certificate2? certificate = null)
    {
        this.broker = broker;
        this.certificate = certificate;
        listener = Listen(0);
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        accepting = AcceptAsync(listener);
    }

    public int Port { get; }

    /// <summary>Cuts what goes through; new connections may come.</summary>
    public void Cut()
    {
        lock (gate)
        {
            sockets.ForEach(s => s.Close(timeout: 0));
            sockets.Clear();
        }
    }

    /// <summary>Cuts what goes through and refuses what comes.</summary>
    public async Task ShutAsync()
    {
        listener.Stop();
        await accepting;
        Cut();
    }

    public void Open()
    {
        listener = Listen(Port);
        accepting = AcceptAsync(listener);
    }

    public async ValueTask DisposeAsync() => await ShutAsync();

    private static TcpListener Listen(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        return listener;
    }

    private async Task AcceptAsync(TcpListener from)
    {
        try
        {
            while (true)
            {
                _ = PassAsync(await from.AcceptTcpClientAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Stopped.
        }
    }

    private async Task PassAsync(TcpClient client)
    {
        var server = new TcpClient();
        try
        {
            await server.ConnectAsync(broker);
            lock (gate)
            {
                sockets.AddRange([client.Client, server.Client]);
            }

            Stream near = client.GetStream();
            if (certificate is not null)
            {
                var tls = new SslStream(near);
                await tls.AuthenticateAsServerAsync(certificate);
                near = tls;
            }

            var far = server.GetStream();
            await Task.WhenAny(near.CopyToAsync(far), far.CopyToAsync(near));
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or System.Security.Authentication.AuthenticationException)
        {
            // One side is gone: so is the other.
        }
        finally
        {
            client.Dispose();
            server.Dispose();
        }
    }
}
