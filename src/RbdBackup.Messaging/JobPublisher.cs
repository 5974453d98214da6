using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Messaging;

/// <summary>Publishes requests, each confirmed, on a connection that is opened at the first and again after it was lost.</summary>
internal sealed class JobPublisher(TransportUrl url, MessagingOptions options, TimeProvider clock) : IAsyncDisposable
{
    private const string What = "publish a request";
    private readonly BrokerConnector connector = new(url, "rbdbackup requests");
    private readonly SemaphoreSlim gate = new(1);
    private IConnection? connection;
    private IChannel? channel;

    /// <inheritdoc cref="JobQueue.PublishAsync"/>
    public async Task PublishAsync(BackupRequest request, CancellationToken cancel)
    {
        var body = BackupRequestJson.Write(request);
        var properties = new BasicProperties
        {
            Persistent = true,
            ContentType = "application/json",
            ContentEncoding = "utf-8",
            MessageId = request.Id.ToString("D"),
        };
        try
        {
            var used = channel;
            var open = await WithinAsync(OpenAsync, cancel);
            try
            {
                await PublishAsync(open, properties, body, cancel);
            }
            catch (Exception e) when (open == used && e is OperationInterruptedException)
            {
                // A connection that was kept since the last request may have died since. A request that arrives twice has one key.
                await PublishAsync(await WithinAsync(OpenAsync, cancel), properties, body, cancel);
            }
        }
        catch (PublishException e)
        {
            throw e.IsReturn
                ? new RbdBackupException(
                    ErrorKind.Unavailable, $"The queue {options.JobQueue} vanished from the broker {connector.Broker} while a request was published", "Try again.", e)
                : new RbdBackupException(
                    ErrorKind.NoSpace, $"The broker {connector.Broker} did not take a request: its queue {options.JobQueue} is full",
                    "Look whether a worker runs; 'rabbitmqctl list_queues' shows how many requests wait.", e);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            throw BrokerErrors.Translate(e, What, connector.Broker);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        gate.Dispose();
    }

    private async Task PublishAsync(IChannel open, BasicProperties properties, byte[] body, CancellationToken cancel) => await WithinAsync(
        async c =>
        {
            await open.BasicPublishAsync("", options.JobQueue, mandatory: true, properties, body, c);
            return true;
        },
        cancel);

    private async Task<IChannel> OpenAsync(CancellationToken cancel)
    {
        await gate.WaitAsync(cancel);
        try
        {
            if (channel is { IsOpen: true })
            {
                return channel;
            }

            await CloseAsync();
            connection = await connector.ConnectAsync(cancel);
            var opened = await connection.CreateChannelAsync(
                new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancel);
            await Topology.DeclareJobsAsync(opened, options, cancel);
            return channel = opened;
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task CloseAsync()
    {
        if (connection is { } old)
        {
            (connection, channel) = (null, null);
            await BrokerConnector.CloseAsync(old);
        }
    }

    private async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(options.PublishTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancel);
        return await work(either.Token);
    }
}
