using Microsoft.Extensions.Logging;

namespace RbdBackup.Observe;

/// <summary>Writes each record as one line.</summary>
internal sealed class LineLoggerProvider(Func<LogRecord, string> format, Action<string> writeLine, TimeProvider time)
    : ILoggerProvider, ISupportExternalScope
{
    private IExternalScopeProvider _scopes = new LoggerExternalScopeProvider();

    public ILogger CreateLogger(string categoryName) => new LineLogger(this, categoryName);

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    public void Dispose()
    {
    }

    private sealed class LineLogger(LineLoggerProvider owner, string category) : ILogger
    {
        public IDisposable BeginScope<TState>(TState state)
            where TState : notnull => owner._scopes.Push(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            owner.Write(new LogRecord(
                owner.Time, logLevel, category, eventId, formatter(state, exception), exception, owner.ScopeValues(), Named(state)));
    }

    private DateTimeOffset Time => time.GetUtcNow();

    private void Write(LogRecord record) => writeLine(format(record));

    private Dictionary<string, object?> ScopeValues()
    {
        var values = new Dictionary<string, object?>();
        _scopes.ForEachScope(
            static (scope, all) =>
            {
                foreach (var (name, value) in Named(scope))
                {
                    all[name] = value;
                }
            },
            values);
        return values;
    }

    private static Dictionary<string, object?> Named(object? state) =>
        state is IEnumerable<KeyValuePair<string, object?>> pairs
            ? pairs.Where(p => p.Key != "{OriginalFormat}").GroupBy(p => p.Key).ToDictionary(p => p.Key, p => p.Last().Value)
            : [];
}
