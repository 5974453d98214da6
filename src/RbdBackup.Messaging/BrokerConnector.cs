using RabbitMQ.Client;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging;

/// <summary>Opens connections to a broker. Nothing is recovered behind our back: who uses a connection makes a new one, with its queues, when it is lost.</summary>
internal sealed class BrokerConnector(TransportUrl url, string name)
{
    // Three attempts' worth of a lost SYN; a node that is gone must not hold up the next one.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);

    /// <summary>The broker, without user and password.</summary>
    public string Broker { get; } = url.ToString();

    /// <summary>Connects to the first node that answers.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unavailable"/>: none did; <see cref="ErrorKind.Permission"/>: one refused us.</exception>
    public async Task<IConnection> ConnectAsync(CancellationToken cancel)
    {
        var failures = new List<RbdBackupException>();
        foreach (var host in url.Hosts)
        {
            try
            {
                return await Factory(host).CreateConnectionAsync([new AmqpTcpEndpoint(host.Host, host.Port, Ssl(host))], name, cancel);
            }
            catch (Exception e) when (!cancel.IsCancellationRequested)
            {
                failures.Add(BrokerErrors.Translate(e, "connect", $"{host}, virtual host {url.VirtualHost}"));
            }
        }

        // A refusal says more than another node's silence.
        throw failures.Find(f => !f.IsTransient)
            ?? (failures is [var only]
                ? only
                : new RbdBackupException(
                    ErrorKind.Unavailable, string.Join("; ", failures.Select(f => f.Message)), failures[0].Remedy, failures[0]));
    }

    /// <summary>Closes a connection, whatever state it is in, without waiting long.</summary>
    public static async Task CloseAsync(IConnection connection)
    {
        await connection.CloseAsync(Constants.ReplySuccess, "closed by rbdbackup", CloseTimeout, abort: true);
        await connection.DisposeAsync();
    }

    private ConnectionFactory Factory(BrokerHost host) => new()
    {
        UserName = host.User,
        Password = host.Password,
        VirtualHost = url.VirtualHost,
        RequestedHeartbeat = url.Heartbeat,
        RequestedConnectionTimeout = ConnectTimeout,
        AutomaticRecoveryEnabled = false,
        TopologyRecoveryEnabled = false,
    };

    private SslOption Ssl(BrokerHost host) => url.Tls?.For(host.Host) ?? new SslOption();
}
