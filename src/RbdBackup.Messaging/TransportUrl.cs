using System.Globalization;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging;

/// <summary>One of a broker's nodes, and who logs in there. Prints without the password.</summary>
/// <param name="Host">Name or address.</param>
/// <param name="Port">Port.</param>
/// <param name="User">User name.</param>
/// <param name="Password">Password.</param>
public sealed record BrokerHost(string Host, int Port, string User, string Password)
{
    /// <summary><c>host:port</c>.</summary>
    public override string ToString() => Host.Contains(':') ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}

/// <summary>
/// Where a broker is, in oslo.messaging's form: <c>rabbit://user:password@host:port[,user:password@host2:port2…]/virtual_host[?ssl=1&amp;…]</c>.
/// <c>amqp://</c> says the same; <c>amqps://</c> with TLS. Prints without user and password, so it may be logged.
/// </summary>
/// <param name="Hosts">The broker's nodes, at least one; tried in this order.</param>
/// <param name="VirtualHost">The virtual host; <c>/</c> where the URL names none.</param>
/// <param name="Tls">How TLS is spoken; null for plain TCP.</param>
/// <param name="Heartbeat">The heartbeat asked of the broker (<c>heartbeat_timeout_threshold</c>); zero switches it off.</param>
public sealed record TransportUrl(IReadOnlyList<BrokerHost> Hosts, string VirtualHost, TlsFiles? Tls, TimeSpan Heartbeat)
{
    private const int PlainPort = 5672;
    private const int TlsPort = 5671;
    private const string DefaultHeartbeatSeconds = "60";
    private const string Form = "Write rabbit://user:password@host:port/virtual_host; in user and password write @ / : , % as %40 %2F %3A %2C %25.";

    /// <summary>Reads a URL.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: not of that form. The message does not quote the URL.</exception>
    public static TransportUrl Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var scheme = text.Split("://", 2);
        if (scheme is not [var name and ("rabbit" or "amqp" or "amqps" or "kombu+amqp"), var rest])
        {
            throw Wrong("it does not begin with rabbit://, amqp:// or amqps://");
        }

        var (beforeQuery, query) = Cut(rest, '?');
        var (authority, path) = Cut(beforeQuery, '/');
        var options = Query(query);
        var tls = name == "amqps" || IsTrue(options.GetValueOrDefault("ssl"));
        var hosts = ReadHosts(authority, tls ? TlsPort : PlainPort);
        var virtualHost = Uri.UnescapeDataString(path);
        return new TransportUrl(
            hosts, virtualHost.Length == 0 ? "/" : virtualHost, tls ? TlsFiles.From(options) : null, Seconds(options.GetValueOrDefault("heartbeat_timeout_threshold")));
    }

    /// <summary>The nodes and the virtual host, without user and password.</summary>
    public override string ToString() => $"{(Tls is null ? "amqp" : "amqps")}://{string.Join(',', Hosts)}/{(VirtualHost == "/" ? "" : VirtualHost)}";

    private static List<BrokerHost> ReadHosts(string authority, int defaultPort)
    {
        var hosts = new List<BrokerHost>();
        var (user, password) = ("guest", "guest");
        foreach (var part in authority.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var at = part.LastIndexOf('@');
            if (at >= 0)
            {
                // A node without credentials takes those of the node before it.
                (user, password) = Cut(part[..at], ':');
                (user, password) = (Uri.UnescapeDataString(user), Uri.UnescapeDataString(password));
            }

            hosts.Add(Host(part[(at + 1)..], defaultPort, user, password));
        }

        return hosts.Count > 0 ? hosts : throw Wrong("it names no host");
    }

    private static BrokerHost Host(string text, int defaultPort, string user, string password)
    {
        var close = text.StartsWith('[') ? text.IndexOf(']') : -1;
        var (host, port) = close > 0 ? (text[1..close], text[(close + 1)..].TrimStart(':')) : Cut(text, ':');
        if (host.Length == 0 || host.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)))
        {
            throw Wrong("it names no host");
        }

        return port.Length == 0
            ? new BrokerHost(host, defaultPort, user, password)
            : int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= ushort.MaxValue
                ? new BrokerHost(host, number, user, password)
                : throw Wrong($"the port of {host} is no number between 1 and {ushort.MaxValue}");
    }

    private static Dictionary<string, string> Query(string query)
    {
        var options = new Dictionary<string, string>();
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, value) = Cut(pair, '=');
            options[key] = Uri.UnescapeDataString(value);
        }

        return options;
    }

    private static TimeSpan Seconds(string? text) =>
        int.TryParse(text ?? DefaultHeartbeatSeconds, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= ushort.MaxValue
            ? TimeSpan.FromSeconds(seconds)
            : throw Wrong("heartbeat_timeout_threshold is no number of seconds");

    private static bool IsTrue(string? text) => text?.ToLowerInvariant() is "1" or "true" or "yes" or "on" or "t" or "y";

    private static (string Before, string After) Cut(string text, char at)
    {
        var index = text.IndexOf(at);
        return index < 0 ? (text, "") : (text[..index], text[(index + 1)..]);
    }

    private static RbdBackupException Wrong(string reason) => new(ErrorKind.Usage, $"A transport_url is wrong: {reason}", Form);
}
