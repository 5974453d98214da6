using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;
using RbdBackup.Messaging;
using RbdBackup.OpenStack;
using RbdBackup.Servers;

namespace RbdBackup.Worker;

/// <summary>
/// Turns notifications into requests: a disk whose metadata names a policy that it did not have before, and a Cinder snapshot that asks for its backup.
/// </summary>
internal sealed partial class NotificationIntake(
    RbdBackupSettings settings, MeaningOptions meaning, IImageCluster cluster, Members members, JobQueue queue, TimeProvider time, ILogger log) : IDisposable
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
                PolicySeen seen => InTurnAsync(async () => await PolicyAsync(seen with { Disk = await PlacedAsync(seen.Disk, stop) }, stop), stop),
                SnapshotBackupAsked asked => SnapshotAsync(asked, stop),
                DiskGone gone => GoneAsync(gone, stop),
                _ => Task.CompletedTask,
            });
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _oneAtATime.Dispose();

    /// <summary>The options by which messages are understood.</summary>
    public static MeaningOptions Meaning(RbdBackupSettings settings) =>
        (new MeaningOptions { ServerPool = settings.Ceph.VmsPool, VolumePool = settings.Ceph.VolumesPool, MorePools = [.. settings.Pools.Servers, .. settings.Pools.Volumes] })
        .WithKeyPrefix(settings.Notifications.MetadataPrefix.TrimEnd('_'));

    /// <summary>The disk in the pool that has it; as it is where there is one pool alone, or none has it.</summary>
    private async Task<DiskRef> PlacedAsync(DiskRef disk, CancellationToken stop) =>
        disk with { Image = disk.Image with { Pool = await new DiskSearch(cluster, PoolsOf(disk)).OfAsync(disk.Image.Name, [disk.Image.Name], stop) } };

    private IReadOnlyList<string> PoolsOf(DiskRef disk) => disk.Kind == DiskKind.Server ? settings.Pools.Servers : settings.Pools.Volumes;

    private async Task SnapshotAsync(SnapshotBackupAsked asked, CancellationToken stop) =>
        await queue.PublishAsync(Request(await PlacedAsync(asked.Disk, stop), asked.DedupKey, asked.Origin) with { Snapshot = asked.SnapshotName }, stop);

    private async Task GoneAsync(DiskGone gone, CancellationToken stop)
    {
        foreach (var pool in PoolsOf(gone.Disk))
        {
            await members.RememberAsync(new Member(gone.Disk.Image with { Pool = pool }, null, gone.Origin.Project), stop);
        }
    }

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
