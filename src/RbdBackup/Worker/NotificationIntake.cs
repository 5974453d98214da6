using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;
using RbdBackup.Messaging;
using RbdBackup.OpenStack;

namespace RbdBackup.Worker;

/// <summary>
/// Turns notifications into requests: a disk whose metadata names a policy that it did not have before, and a Cinder snapshot that asks for its backup.
/// </summary>
internal sealed partial class NotificationIntake(
    RbdBackupSettings settings, MeaningOptions meaning, Members members, JobQueue queue, TimeProvider time, ILogger log) : IDisposable
{
    // Messages are handled side by side, and two that name the same policy for the first time are one wish.
    private readonly SemaphoreSlim _oneAtATime = new(1);

    /// <summary>Handles one notification.</summary>
    /// <exception cref="RbdBackupException">Corrupt: no notification; it goes to the dead letters with the reason.</exception>
    public async Task HandleAsync(NotificationDelivery delivery, CancellationToken stop)
    {
        foreach (var diskEvent in NotificationMeaning.Of(NotificationParser.Parse(delivery.Body, delivery.ContentType), meaning))
        {
            await (diskEvent switch
            {
                PolicySeen seen => InTurnAsync(() => PolicyAsync(seen, stop), stop),
                SnapshotBackupAsked asked => queue.PublishAsync(Request(asked.Disk, asked.DedupKey, asked.Origin) with { Snapshot = asked.SnapshotName }, stop),
                DiskGone gone => members.RememberAsync(new Member(gone.Disk.Image, null, gone.Origin.Project), stop),
                _ => Task.CompletedTask,
            });
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _oneAtATime.Dispose();

    /// <summary>The options by which messages are understood.</summary>
    public static MeaningOptions Meaning(RbdBackupSettings settings) =>
        (new MeaningOptions { ServerPool = settings.Ceph.VmsPool, VolumePool = settings.Ceph.VolumesPool })
        .WithKeyPrefix(settings.Notifications.MetadataPrefix.TrimEnd('_'));

    private async Task InTurnAsync(Func<Task> work, CancellationToken stop)
    {
        await _oneAtATime.WaitAsync(stop);
        try
        {
            await work();
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    private async Task PolicyAsync(PolicySeen seen, CancellationToken stop)
    {
        if (seen.Policy is not null && !settings.Policies.ContainsKey(seen.Policy))
        {
            LogUnknown(seen.Disk.Image, seen.Policy, string.Join(", ", settings.Policies.Keys));
            return;
        }

        // About half of all messages name the policy by the way: only a new one starts a backup. The request goes out first: a worker that dies
        // between the two sends it again, and it is known by its key.
        var active = seen.Policy is not null && settings.Policies[seen.Policy].Enabled && seen.Policy != "none";
        var known = (await members.ReadAsync(stop)).FirstOrDefault(m => m.Image == seen.Disk.Image)?.Policy;
        if (active && known != seen.Policy)
        {
            await queue.PublishAsync(Request(seen.Disk, seen.DedupKey, seen.Origin) with { Policy = seen.Policy }, stop);
            LogProtected(seen.Disk.Image, seen.Policy!);
        }

        await members.RememberAsync(new Member(seen.Disk.Image, active ? seen.Policy : null, seen.Origin.Project), stop);
    }

    private BackupRequest Request(DiskRef disk, DedupKey key, EventOrigin origin) => BackupRequest.New(disk.Image, key, origin.AskedBy, time.GetUtcNow());

    [LoggerMessage(4020, LogLevel.Warning, "{Image} asks for policy '{Policy}', which is not configured (known: {Known}); it is not protected")]
    private partial void LogUnknown(ImageSpec image, string policy, string known);

    [LoggerMessage(4021, LogLevel.Information, "{Image} is protected by policy '{Policy}' from now on")]
    private partial void LogProtected(ImageSpec image, string policy);
}
