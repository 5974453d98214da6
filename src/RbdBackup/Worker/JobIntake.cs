using Microsoft.Extensions.Logging;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;
using RbdBackup.Messaging;

namespace RbdBackup.Worker;

/// <summary>
/// Takes requests from the queue: each becomes a record in RADOS before its message is settled, since the broker's delivery timeout is shorter than
/// a large full. A duplicate writes the same record again.
/// </summary>
internal sealed partial class JobIntake(IImageCluster cluster, IStateStore state, Dispatcher dispatcher, ILogger log)
{
    /// <summary>Handles one delivery; returns when the request was carried out or its record says when to try again.</summary>
    public async Task HandleAsync(JobDelivery delivery, CancellationToken stop)
    {
        string? name;
        try
        {
            name = await RecordAsync(cluster, state, delivery.Request, stop);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            LogNoImage(delivery.Request.Image, e.Message);
            await delivery.RejectAsync(e.Message);
            return;
        }

        await delivery.AckAsync();
        if (name is not null)
        {
            await dispatcher.RunAsync(name, stop);
        }
    }

    /// <summary>Writes a request's record, and returns the state object's name; null where the request was answered before.</summary>
    public static async Task<string?> RecordAsync(IImageCluster cluster, IStateStore state, BackupRequest request, CancellationToken cancel)
    {
        var info = await cluster.FindAsync(request.Image, cancel)
            ?? throw new RbdBackupException(ErrorKind.NotFound, $"there is no image {request.Image}", $"'rbd ls {request.Image.Pool}' shows the images of its pool.");
        var name = StateKeys.Image(info);
        var key = StateKeys.Request(request.DedupKey.ToString());
        if (ImageJobs.Answered(await state.ReadAsync(name, cancel)).Contains(key))
        {
            return null;
        }

        await state.WriteUnleasedAsync(name, key, BackupRequestJson.Write(request), cancel);
        return name;
    }

    [LoggerMessage(4010, LogLevel.Warning, "a request for {Image} is put aside: {Why}")]
    private partial void LogNoImage(ImageSpec image, string why);
}
