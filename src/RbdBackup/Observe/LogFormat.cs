using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using RbdBackup.Cli;

namespace RbdBackup.Observe;

/// <summary>The two forms of a log line.</summary>
internal static class LogFormat
{
    /// <summary>
    /// oslo.log's line: time, process, level, name, <c>[request image]</c>, message. Newlines in it are escaped: one record is one line.
    /// </summary>
    public static string Text(LogRecord record)
    {
        var context = string.Join(
            ' ', new[] { Logging.RequestId, Logging.Image }.Select(k => record.Scope.GetValueOrDefault(k)).Where(v => v is not null));
        var message = record.Exception is null ? record.Message : $"{record.Message}: {record.Exception}";
        var time = record.Time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
        var origin = $"{Environment.ProcessId} {Level(record.Level)} {record.Category}";
        return $"{time} {origin} [{(context.Length == 0 ? "-" : context)}] {Escape(message)}";
    }

    /// <summary>One JSON object, with oslo.log's names where it has them.</summary>
    public static string Json(LogRecord record)
    {
        var fields = new JsonObject
        {
            ["asctime"] = record.Time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
            ["process"] = Environment.ProcessId,
            ["levelname"] = Level(record.Level),
            ["name"] = record.Category,
            ["event_id"] = record.Event.Id,
            ["event"] = record.Event.Name,
            ["message"] = record.Message,
        };
        if (record.Exception is not null)
        {
            fields["traceback"] = record.Exception.ToString();
        }

        foreach (var (name, value) in record.Scope)
        {
            fields[name] = value?.ToString();
        }

        if (record.Values.Count > 0)
        {
            fields["extra"] = new JsonObject(record.Values.Select(v => KeyValuePair.Create(v.Key, (JsonNode?)v.Value?.ToString())));
        }

        return fields.ToJsonString(JsonForms.Line);
    }

    private static string Level(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "DEBUG",
        LogLevel.Information => "INFO",
        LogLevel.Warning => "WARNING",
        LogLevel.Error => "ERROR",
        _ => "CRITICAL",
    };

    private static string Escape(string text) =>
        text.Replace("\r", "", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
