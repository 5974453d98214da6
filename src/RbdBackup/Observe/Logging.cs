using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;

namespace RbdBackup.Observe;

/// <summary>
/// Logging as OpenStack's operators know it from oslo.log: one line a record on standard error, and in a file where one is configured.
/// </summary>
public static class Logging
{
    /// <summary>The scope key of the request id that stands on each line.</summary>
    public const string RequestId = "request_id";

    /// <summary>The scope key of the image that stands on each line.</summary>
    public const string Image = "image";

    /// <summary>Makes the factory.</summary>
    /// <param name="settings">Format, file and debug switch.</param>
    /// <param name="writeLine">Writes one line to standard error.</param>
    /// <param name="level">From which level on records are written, where <c>debug</c> is off.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="Core.Model.RbdBackupException">The log file can't be written.</exception>
    public static ILoggerFactory Create(GeneralSettings settings, Action<string> writeLine, LogLevel level, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var file = settings.LogFile is { } path ? new LogFile(path) : null;
        Action<string> write = file is null ? writeLine : line =>
        {
            writeLine(line);
            file.WriteLine(line);
        };
        // Not by LoggerFactory.Create, which builds a whole service container for this at each command's start.
        return new LoggerFactory(
            [new LineLoggerProvider(settings.UseJson ? LogFormat.Json : LogFormat.Text, write, time)],
            new LoggerFilterOptions { MinLevel = settings.Debug ? LogLevel.Debug : level }.AddFilter("Microsoft", LogLevel.Warning));
    }

    /// <summary>Puts a request id and an image on every line until the scope is disposed.</summary>
    public static IDisposable? BeginJobScope(this ILogger logger, string requestId, string image)
    {
        ArgumentNullException.ThrowIfNull(logger);
        return logger.BeginScope(new KeyValuePair<string, object?>[] { new(RequestId, requestId), new(Image, image) });
    }
}
