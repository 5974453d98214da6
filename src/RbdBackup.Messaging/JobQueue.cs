using Microsoft.Extensions.Logging;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Messaging;

/// <summary>
/// The durable queue of requests. It wakes workers and shares out the work; what is being done to an image stands in its job record, not here.
/// </summary>
public sealed class JobQueue : IAsyncDisposable
{
    private readonly JobPublisher publisher;
    private readonly JobConsumer consumer;

    /// <summary>Makes it; nothing is connected until the first use.</summary>
    public JobQueue(TransportUrl url, MessagingOptions options, TimeProvider clock, ILogger log)
    {
        publisher = new JobPublisher(url, options, clock);
        consumer = new JobConsumer(url, options, clock, log);
    }

    /// <summary>How the consumer's link is.</summary>
    public LinkStatus Status => consumer.Status;

    /// <summary>Puts a request into the queue; when it returns, the broker has it safe on a majority of its nodes.</summary>
    /// <exception cref="RbdBackupException">
    /// <see cref="ErrorKind.Unavailable"/>: not confirmed (it may be in the queue nevertheless: publishing it again is safe);
    /// <see cref="ErrorKind.Permission"/>: the broker refused us; <see cref="ErrorKind.NoSpace"/>: the queue is full.
    /// </exception>
    public Task PublishAsync(BackupRequest request, CancellationToken cancel) => publisher.PublishAsync(request, cancel);

    /// <summary>
    /// Handles requests until <paramref name="stop"/>, at most <paramref name="concurrency"/> at once, then waits for the handlers that are running. No
    /// request is taken from the queue before there is a free place for it. A broker that is down is waited for, now and later; running handlers go on.
    /// </summary>
    public Task RunAsync(JobHandler handler, int concurrency, CancellationToken stop) => consumer.RunAsync(handler, concurrency, stop);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => publisher.DisposeAsync();
}
