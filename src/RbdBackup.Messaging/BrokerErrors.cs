using System.Net.Sockets;
using System.Security.Authentication;
using RabbitMQ.Client.Exceptions;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging;

/// <summary>The one place that turns what the client library throws into an error that a person can act on.</summary>
internal static class BrokerErrors
{
    private const string Waits = "Look whether RabbitMQ runs there and whether transport_url is right; the worker goes on trying.";

    /// <summary>The error for a failure at a broker. <paramref name="what"/> is what was tried ("publish a request").</summary>
    public static RbdBackupException Translate(Exception error, string what, string broker)
    {
        if (error is RbdBackupException own)
        {
            return own;
        }

        var all = Flatten(error).ToList();
        if (all.Any(e => e is AuthenticationFailureException or PossibleAuthenticationFailureException))
        {
            return new RbdBackupException(
                ErrorKind.Permission, $"Could not {what}: the broker {broker} refused user or password", "Look at transport_url and 'rabbitmqctl list_users'.", error);
        }

        if (all.OfType<AuthenticationException>().FirstOrDefault() is { } tls)
        {
            return new RbdBackupException(
                ErrorKind.Permission, $"Could not {what}: TLS with the broker {broker} failed: {tls.Message}", "Look at the ssl_* options of transport_url.", error);
        }

        return all.OfType<OperationInterruptedException>().FirstOrDefault(e => e.ShutdownReason is not null) is { ShutdownReason: { } reason }
            ? Refused(reason.ReplyCode, reason.ReplyText, what, broker, error)
            : new RbdBackupException(ErrorKind.Unavailable, $"Could not {what}: the broker {broker} does not answer ({Cause(all)})", Waits, error);
    }

    private static RbdBackupException Refused(ushort code, string text, string what, string broker, Exception error) => code switch
    {
        403 or 530 => new(
            ErrorKind.Permission, $"Could not {what}: the broker {broker} refused it: {text}",
            "Grant the user its permissions with 'rabbitmqctl set_permissions'; docs/operations.md lists them.", error),
        404 => new(ErrorKind.NotFound, $"Could not {what}: the broker {broker} does not have it: {text}", inner: error),
        406 => new(
            ErrorKind.Usage, $"Could not {what}: the broker {broker} has it with other properties: {text}",
            "Choose another queue_prefix, or delete that queue once it is empty.", error),
        _ => new(ErrorKind.Unavailable, $"Could not {what}: the broker {broker} ended the connection: {text}", Waits, error),
    };

    private static string Cause(List<Exception> all) =>
        all.OfType<SocketException>().FirstOrDefault()?.Message
        ?? (all.Any(e => e is TimeoutException or OperationCanceledException) ? "it took too long" : all[^1].Message);

    private static IEnumerable<Exception> Flatten(Exception error)
    {
        yield return error;
        var inner = error is AggregateException many ? many.InnerExceptions : error.InnerException is { } one ? [one] : (IEnumerable<Exception>)[];
        foreach (var e in inner.SelectMany(Flatten))
        {
            yield return e;
        }
    }
}
