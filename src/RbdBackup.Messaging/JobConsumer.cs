using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RbdBackup.Core.Requests;

namespace RbdBackup.Messaging;

/// <summary>
/// Takes requests from their queue, one for each free place. A request is settled long before its work is done, so a plain prefetch would bring the
/// next one to a worker without a place for it, where it would wait into the broker's delivery timeout while another worker is idle. So each request is
/// fetched by a consumer of its own, with a prefetch of 1, cancelled before that one request can be settled: at most one comes, and only when it is wanted.
/// </summary>
internal sealed class JobConsumer(TransportUrl url, MessagingOptions options, TimeProvider clock, ILogger log)
{
    private readonly BrokerLink link = new(new BrokerConnector(url, "rbdbackup jobs"), "jobs", options, clock, log);
    private readonly DeliveryRunner runner = new(options, clock, log);

    /// <summary>How the link is.</summary>
    public LinkStatus Status => link.Status;

    /// <inheritdoc cref="JobQueue.RunAsync"/>
    public async Task RunAsync(JobHandler handler, int concurrency, CancellationToken stop)
    {
        // They outlive a lost connection: work goes on, and so its place stays taken.
        using var places = new SemaphoreSlim(concurrency);
        var running = new RunningTasks();
        await link.RunAsync((connection, up, cancel) => SessionAsync(connection, handler, places, running, up, cancel), stop);
        await running.WhenIdle;
    }

    private async Task SessionAsync(
        IConnection connection, JobHandler handler, SemaphoreSlim places, RunningTasks running, Action up, CancellationToken stop)
    {
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), stop);
        var loss = new ChannelLoss(channel);
        await Topology.DeclareJobsAsync(channel, options, stop);
        await channel.BasicQosAsync(prefetchSize: 0, prefetchCount: 1, global: false, stop);
        up();
        try
        {
            while (true)
            {
                await TakePlaceAsync(places, loss, stop);
                try
                {
                    var delivery = await FetchAsync(channel, loss, stop);
                    _ = running.RunAsync(() => RunAsync(delivery, handler, places, stop));
                }
                catch
                {
                    places.Release();
                    throw;
                }
            }
        }
        finally
        {
            if (stop.IsCancellationRequested)
            {
                // They may still want to settle.
                await running.WhenIdle;
            }
        }
    }

    private async Task RunAsync(Delivery delivery, JobHandler handler, SemaphoreSlim places, CancellationToken stop)
    {
        // Off the caller's back: it has more to fetch.
        await Task.Yield();
        try
        {
            await runner.RunAsync(delivery, () => handler(new JobDelivery(delivery, BackupRequestJson.Read(delivery.Message.Body)), stop), stop);
        }
        finally
        {
            places.Release();
        }
    }

    private static async Task TakePlaceAsync(SemaphoreSlim places, ChannelLoss loss, CancellationToken stop)
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var place = places.WaitAsync(given.Token).ContinueWith(t => t.IsCompletedSuccessfully, TaskScheduler.Default);
        try
        {
            await loss.GuardAsync(place, stop);
        }
        catch
        {
            // A place that came in the same moment goes back.
            await given.CancelAsync();
            if (await place)
            {
                places.Release();
            }

            throw;
        }
    }

    private async Task<Delivery> FetchAsync(IChannel channel, ChannelLoss loss, CancellationToken stop)
    {
        var first = new TaskCompletionSource<Delivery>(TaskCreationOptions.RunContinuationsAsynchronously);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, message) =>
        {
            // The library takes the body's buffer back when this returns.
            var kept = new BasicDeliverEventArgs(
                message.ConsumerTag, message.DeliveryTag, message.Redelivered, message.Exchange, message.RoutingKey, message.BasicProperties,
                message.Body.ToArray(), message.CancellationToken);
            first.TrySetResult(new Delivery(channel, options.JobQueue, options, kept));
            return Task.CompletedTask;
        };
        consumer.UnregisteredAsync += (_, _) =>
        {
            if (!first.Task.IsCompleted)
            {
                loss.Report($"the queue {options.JobQueue} was deleted");
            }

            return Task.CompletedTask;
        };
        var tag = await channel.BasicConsumeAsync(options.JobQueue, autoAck: false, consumer, stop);
        var delivery = await loss.GuardAsync(first.Task, stop);
        await channel.BasicCancelAsync(tag, noWait: false, stop);
        return delivery;
    }
}
