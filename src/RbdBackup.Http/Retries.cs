using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace RbdBackup.Http;

/// <summary>How a request is tried again: bounded, with growing, jittered pauses, each try with a deadline.</summary>
public sealed partial class Retries
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(30);

    /// <summary>How often after the first try.</summary>
    public required int Count { get; init; }

    /// <summary>The first pause.</summary>
    public required TimeSpan Delay { get; init; }

    /// <summary>How long one try may take.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>True for a failure that may pass.</summary>
    public required Func<Exception, bool> IsTransient { get; init; }

    /// <summary>How long the service asked to wait before the next try; null where it did not.</summary>
    public Func<Exception, TimeSpan?> AskedFor { get; init; } = _ => null;

    /// <summary>Builds the pipeline.</summary>
    /// <param name="service">What is asked, for the log: a store's URL, a service's name.</param>
    /// <param name="logger">Told of each new try.</param>
    /// <param name="clock">The clock.</param>
    public ResiliencePipeline Build(string service, ILogger logger, TimeProvider clock)
    {
        var pipeline = new ResiliencePipelineBuilder { TimeProvider = clock };
        if (Count > 0)
        {
            pipeline.AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = result => ValueTask.FromResult(result.Outcome.Exception is { } e && IsTransient(e)),
                MaxRetryAttempts = Count,
                Delay = Delay,
                MaxDelay = MaxDelay,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                DelayGenerator = retry => ValueTask.FromResult(Bounded(AskedFor(retry.Outcome.Exception!))),
                OnRetry = retry =>
                {
                    LogRetry(logger, service, retry.AttemptNumber + 1, retry.RetryDelay.TotalSeconds, retry.Outcome.Exception!.GetBaseException().Message);
                    return ValueTask.CompletedTask;
                },
            });
        }
        return pipeline.AddTimeout(Timeout).Build();
    }

    private static TimeSpan? Bounded(TimeSpan? asked) => asked > MaxDelay ? MaxDelay : asked;

    [LoggerMessage(EventId = 3001, Level = LogLevel.Warning, Message = "{Service}: try {Attempt} failed, the next one in {Pause:0.0} s: {Reason}")]
    private static partial void LogRetry(ILogger logger, string service, int attempt, double pause, string reason);
}
