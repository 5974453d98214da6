using Microsoft.Extensions.Logging;

namespace RbdBackup.Messaging;

/// <summary>What Messaging logs. Event ids 3000 to 3099; bodies of messages are never logged, they may hold tokens.</summary>
internal static partial class Log
{
    [LoggerMessage(3000, LogLevel.Information, "{Link}: connected to {Broker}")]
    public static partial void LinkUp(ILogger log, string link, string broker);

    [LoggerMessage(3001, LogLevel.Warning, "{Link}: {Error}. Attempt {Attempt} at {Broker}, next in {Pause}")]
    public static partial void LinkFailed(ILogger log, string link, string broker, string error, int attempt, TimeSpan pause);

    [LoggerMessage(3002, LogLevel.Warning, "{Link}: lost {Broker}: {Error}")]
    public static partial void LinkLost(ILogger log, string link, string broker, string error);

    [LoggerMessage(3003, LogLevel.Information, "{Link}: disconnected from {Broker}")]
    public static partial void LinkStopped(ILogger log, string link, string broker);

    [LoggerMessage(3010, LogLevel.Warning, "{Queue}: handling a message failed, delivery {Delivery} of {Limit}, next in {Pause}")]
    public static partial void WillRetry(ILogger log, Exception error, string queue, int delivery, int limit, TimeSpan pause);

    [LoggerMessage(3011, LogLevel.Error, "{Queue}: a message became a dead letter: {Reason}")]
    public static partial void DeadLetter(ILogger log, string queue, string reason);

    [LoggerMessage(3012, LogLevel.Warning, "{Queue}: settling a message, or work after its settlement, failed")]
    public static partial void EndedBadly(ILogger log, Exception error, string queue);

    [LoggerMessage(3013, LogLevel.Debug, "{Queue}: dropped what can't be read, the other queue keeps it: {Reason}")]
    public static partial void Dropped(ILogger log, string queue, string reason);

    [LoggerMessage(3014, LogLevel.Warning, "events are lost until the broker {Broker} takes them again: {Error}")]
    public static partial void EventsLost(ILogger log, string broker, string error);

    [LoggerMessage(3020, LogLevel.Information, "Declared exchange {Exchange}, which the service has not declared yet")]
    public static partial void DeclaredExchange(ILogger log, string exchange);
}
