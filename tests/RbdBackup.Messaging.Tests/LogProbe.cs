using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace RbdBackup.Messaging.Tests;

/// <summary>A log that a test can wait on.</summary>
internal sealed class LogProbe : ILogger
{
    private readonly Channel<(int Id, string Text)> lines = Channel.CreateUnbounded<(int, string)>();

    private readonly ConcurrentQueue<string> all = new();

    /// <summary>All that was logged so far, for what must not be in it.</summary>
    public IReadOnlyList<string> All => [.. all];

    /// <summary>Waits for the next line with an event id, and passes over others.</summary>
    public async Task<string> NextAsync(int id)
    {
        while (true)
        {
            var line = await lines.Reader.ReadAsync().AsTask().Within();
            if (line.Id == id)
            {
                return line.Text;
            }
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var text = $"{formatter(state, exception)} {exception}";
        all.Enqueue(text);
        lines.Writer.TryWrite((eventId.Id, text));
    }
}

internal static class Patience
{
    /// <summary>A test that waits for ever fails instead; nothing is measured.</summary>
    public static Task<T> Within<T>(this Task<T> task) => task.WaitAsync(TimeSpan.FromSeconds(60));

    public static Task Within(this Task task) => task.WaitAsync(TimeSpan.FromSeconds(60));
}
