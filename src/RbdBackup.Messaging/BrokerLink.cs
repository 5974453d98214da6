using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;
using RabbitMQ.Client;

namespace RbdBackup.Messaging;

/// <summary>What runs on a connection: sets up its channel, calls <paramref name="up"/> when all is well, and throws when the channel is lost.</summary>
internal delegate Task BrokerSession(IConnection connection, Action up, CancellationToken stop);

/// <summary>
/// Keeps one thing running at a broker: connects, runs its session, and when either fails waits and does it again, with a growing, jittered pause.
/// A broker that is down at the start is waited for in the same way.
/// </summary>
internal sealed class BrokerLink(BrokerConnector connector, string name, MessagingOptions options, TimeProvider clock, ILogger log)
{
    private LinkStatus status = new(name, connector.Broker, LinkState.Stopped, clock.GetUtcNow(), 0, null);

    /// <summary>How the link is.</summary>
    public LinkStatus Status => Volatile.Read(ref status);

    /// <summary>Runs sessions until <paramref name="stop"/>.</summary>
    public async Task RunAsync(BrokerSession session, CancellationToken stop)
    {
        var pipeline = Pipeline();
        try
        {
            while (!stop.IsCancellationRequested)
            {
                Set(LinkState.Connecting, Status.FailedAttempts, Status.LastError);
                await pipeline.ExecuteAsync(async cancel => await AttemptAsync(session, cancel), stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Log.LinkStopped(log, name, connector.Broker);
        }
        finally
        {
            Set(LinkState.Stopped, 0, null);
        }
    }

    // Throws where the link never came up, so that the pause before the next attempt grows; returns where it was up and was lost.
    private async Task AttemptAsync(BrokerSession session, CancellationToken stop)
    {
        var connection = await connector.ConnectAsync(stop);
        var wasUp = false;
        try
        {
            await session(connection, Up, stop);
        }
        catch (Exception e) when (wasUp && !stop.IsCancellationRequested)
        {
            var error = BrokerErrors.Translate(e, $"consume {name}", connector.Broker);
            Log.LinkLost(log, name, connector.Broker, error.Message);
            Set(LinkState.Connecting, 0, error.Message);
            await Task.Delay(options.ReconnectDelay * Random.Shared.NextDouble(), clock, stop);
        }
        finally
        {
            await BrokerConnector.CloseAsync(connection);
        }

        void Up()
        {
            wasUp = true;
            Log.LinkUp(log, name, connector.Broker);
            Set(LinkState.Connected, 0, null);
        }
    }

    private ResiliencePipeline Pipeline() => new ResiliencePipelineBuilder { TimeProvider = clock }
        .AddRetry(new RetryStrategyOptions
        {
            ShouldHandle = new PredicateBuilder().Handle<Exception>(e => e is not OperationCanceledException),
            MaxRetryAttempts = int.MaxValue,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = options.ReconnectDelay,
            MaxDelay = options.ReconnectMaxDelay,
            OnRetry = attempt =>
            {
                var error = BrokerErrors.Translate(attempt.Outcome.Exception!, $"consume {name}", connector.Broker);
                Log.LinkFailed(log, name, connector.Broker, error.Message, attempt.AttemptNumber + 1, attempt.RetryDelay);
                Set(LinkState.Connecting, attempt.AttemptNumber + 1, error.Message);
                return default;
            },
        })
        .Build();

    private void Set(LinkState state, int failedAttempts, string? error)
    {
        var since = Status.State == state ? Status.Since : clock.GetUtcNow();
        Volatile.Write(ref status, new LinkStatus(name, connector.Broker, state, since, failedAttempts, error));
    }
}
