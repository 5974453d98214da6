using Microsoft.Extensions.Logging;

namespace RbdBackup.Observe;

/// <summary>What is known of one log line.</summary>
/// <param name="Time">When it was written, UTC.</param>
/// <param name="Level">How grave it is.</param>
/// <param name="Category">Who wrote it.</param>
/// <param name="Event">Its stable id and name.</param>
/// <param name="Message">The text.</param>
/// <param name="Exception">The exception behind it.</param>
/// <param name="Scope">The scopes' values, inner ones over outer ones.</param>
/// <param name="Values">The message's own named values.</param>
internal sealed record LogRecord(
    DateTimeOffset Time, LogLevel Level, string Category, EventId Event, string Message, Exception? Exception,
    IReadOnlyDictionary<string, object?> Scope, IReadOnlyDictionary<string, object?> Values);
