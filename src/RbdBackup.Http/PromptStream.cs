using System.Net.Sockets;

namespace RbdBackup.Http;

/// <summary>
/// A connection on which what has come is acknowledged before more is waited for. radosgw sends the head and the body of an answer one behind the other and, as it is
/// set up by default, holds the body back until the head is acknowledged (Nagle's algorithm); the kernel here would do that after 40 ms, in the hope
/// of something to send it along with. So each small answer took 45 ms, and takes 2.
/// </summary>
internal sealed class PromptStream(Socket socket) : NetworkStream(socket, ownsSocket: true)
{
    private const int IpProtoTcp = 6;
    private const int TcpQuickAck = 12;

    /// <summary>Connects as the handler itself would.</summary>
    public static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancel);
            return new PromptStream(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Acknowledge();
        return base.ReadAsync(buffer, cancellationToken);
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        // Reads into spans come here, too.
        Acknowledge();
        return base.Read(buffer, offset, count);
    }

    // The kernel forgets this again, so it is said each time.
    private void Acknowledge()
    {
        if (OperatingSystem.IsLinux())
        {
            Socket.SetRawSocketOption(IpProtoTcp, TcpQuickAck, [1, 0, 0, 0]);
        }
    }
}
