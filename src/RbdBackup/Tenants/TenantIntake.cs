using Microsoft.Extensions.Logging;
using RbdBackup.Core.Model;
using RbdBackup.Messaging;
using RbdBackup.OpenStack;
using RbdBackup.Worker;

namespace RbdBackup.Tenants;

/// <summary>
/// Turns notifications into looks. About half of all messages mention a server's metadata by the way: only what differs from what is remembered is worth
/// asking Nova or Cinder, and only what they say counts.
/// </summary>
internal sealed partial class TenantIntake(MeaningOptions words, Members members, TenantRecords records, TenantKeeper keeper, ServerImages? images, Action wake, ILogger log)
{
    /// <summary>Handles one notification.</summary>
    /// <exception cref="RbdBackupException">Corrupt: no notification; it goes to the dead letters with the reason.</exception>
    public async Task HandleAsync(NotificationDelivery delivery, CancellationToken stop)
    {
        var notification = NotificationParser.Parse(delivery.Body, delivery.ContentType);
        try
        {
            if (Mention.Of(notification, words) is { } mention)
            {
                await MentionAsync(mention, stop);
                foreach (var image in mention.HasNewImage && images is not null ? await images.NewsAsync(mention.Id, await records.ReadAllAsync(stop), stop) : [])
                {
                    await keeper.LookAsync(image, stop);
                }
            }

            foreach (var asked in NotificationMeaning.Of(notification, words).OfType<SnapshotBackupAsked>())
            {
                await keeper.LookAsync(new Subject(SubjectKind.Snapshot, asked.SnapshotId), stop);
            }
        }
        catch (RbdBackupException e)
        {
            // The pass over all of the cloud finds what this message was about: it need not come again.
            LogLater(notification.EventType, e.Message);
            wake();
        }
    }

    private async Task MentionAsync(Mention mention, CancellationToken stop)
    {
        var subject = new Subject(mention.Kind == DiskKind.Server ? SubjectKind.Server : SubjectKind.Volume, mention.Id);
        var record = await records.ReadAsync(subject, stop);
        var isSame = (mention.Policy, mention.Now) == (record?.Policy, record?.Now);
        if (isSame && !(mention.DisksMayDiffer && (record is not null || mention.Kind == DiskKind.Volume || await IsKnownAsync(subject, stop))))
        {
            return;
        }

        var seen = await keeper.LookAsync(subject, stop);
        if (seen is not null && (seen.Policy, seen.Now) != (mention.Policy, mention.Now) && !isSame)
        {
            LogNotSo(mention.Origin.EventType, subject);
        }
    }

    private async Task<bool> IsKnownAsync(Subject subject, CancellationToken stop) =>
        (await members.ReadAsync(stop)).Any(m => subject.Kind == SubjectKind.Server ? m.Server == subject.Id : m.Volume == subject.Id);

    [LoggerMessage(4130, LogLevel.Information, "{Event} is looked into later: {Why}")]
    private partial void LogLater(string @event, string why);

    [LoggerMessage(4131, LogLevel.Information, "{Event} says of {Subject} what is not so, or no longer; what Nova and Cinder say counts")]
    private partial void LogNotSo(string @event, Subject subject);
}
