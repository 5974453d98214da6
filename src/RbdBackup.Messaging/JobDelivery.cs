using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Messaging;

/// <summary>
/// A request that the broker delivered. Its handler settles it, once, as soon as the request is safe elsewhere (in the job record), and then does the work:
/// the broker takes back what is not settled within its delivery timeout, 30 minutes by default.
/// </summary>
public sealed class JobDelivery
{
    private readonly Delivery delivery;

    internal JobDelivery(Delivery delivery, BackupRequest request)
    {
        this.delivery = delivery;
        Request = request;
    }

    /// <summary>What is asked.</summary>
    public BackupRequest Request { get; }

    /// <summary>Which delivery of the request this is; 1 for the first.</summary>
    public int Count => delivery.Count;

    /// <summary>
    /// The request is safe elsewhere; the broker forgets it. AMQP confirms no acknowledgement: if the connection breaks in that moment, the same request
    /// (the same <see cref="BackupRequest.Id"/>) comes again, so its handler has to know it by its record.
    /// </summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unavailable"/>: the broker is lost; it will deliver the request again.</exception>
    public Task AckAsync() => delivery.AckAsync();

    /// <summary>The request will never be carried out: it becomes a dead letter with the reason.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unavailable"/>: the broker is lost; it will deliver the request again.</exception>
    public Task RejectAsync(string reason) => delivery.DeadLetterAsync(reason);
}

/// <summary>
/// Handles a request: settles it, then works on it. An error before the settlement has the request delivered again, after a pause, to whoever is free;
/// returning without a settlement is such an error.
/// </summary>
public delegate Task JobHandler(JobDelivery job, CancellationToken stop);
