using Microsoft.Extensions.Logging;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Volumes;

/// <summary>
/// Keeps everybody from a volume while it is restored, and gives it back: by an attachment of our own that reserves it, or by locking and stopping the servers
/// that have it. Every step may be repeated.
/// </summary>
internal sealed partial class VolumeHolder(OpenStackCloud cloud, Waiting waiting, ILogger log)
{
    /// <summary>Takes the volume.</summary>
    /// <exception cref="RbdBackupException">Busy: somebody else has it meanwhile.</exception>
    public async Task HoldAsync(VolumeJournal journal, CancellationToken cancel)
    {
        var volume = journal.Volume!;
        if (journal.Servers.Count == 0 && !(await OursAsync(journal, cancel)).Any())
        {
            await cloud.BlockStorage.CreateAttachmentAsync(volume, journal.Restore.ToString(), null, cancel);
            Checkpoints.Pass("volume.reserved");
        }

        foreach (var held in journal.Servers)
        {
            await LockAsync(held, volume, journal.Point, cancel);
            await StopAsync(held.Id, cancel);
        }

        LogHeld(volume, journal.Servers.Count);
    }

    /// <summary>Gives everything back as it was; what no longer exists is passed over.</summary>
    public async Task GiveBackAsync(VolumeJournal journal, CancellationToken cancel)
    {
        RbdBackupException? failed = null;
        foreach (var held in journal.Servers)
        {
            try
            {
                await GiveBackAsync(held, cancel);
            }
            catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
            {
                // Deleted meanwhile.
            }
            catch (RbdBackupException e)
            {
                failed = e;
            }
        }

        foreach (var attachment in await OursAsync(journal, cancel))
        {
            await cloud.BlockStorage.DeleteAttachmentAsync(attachment, cancel);
        }

        if (failed is not null)
        {
            throw failed;
        }

        LogGivenBack(journal.Volume);
    }

    /// <summary>The attachments that a restore made.</summary>
    private async Task<IReadOnlyList<string>> OursAsync(VolumeJournal journal, CancellationToken cancel) =>
        journal.Volume is not { } volume
            ? []
            : await cloud.BlockStorage.ListAttachmentsAsync(volume, cancel).Where(a => a.ServerId == journal.Restore.ToString()).Select(a => a.Id).ToListAsync(cancel);

    private async Task LockAsync(HeldServer held, string volume, PointId? point, CancellationToken cancel)
    {
        if (!held.WasLocked)
        {
            await cloud.Compute.LockAsync(
                held.Id, point is null ? $"rbdbackup undoes the restore of volume {volume}" : $"rbdbackup restores volume {volume} from point {point}", cancel);
            Checkpoints.Pass("volume.locked");
        }
    }

    private async Task StopAsync(string id, CancellationToken cancel)
    {
        var server = await SettledAsync(id, cancel);
        if (server.Status == "ACTIVE")
        {
            await cloud.Compute.StopAsync(id, cancel);
            server = await SettledAsync(id, cancel);
            Checkpoints.Pass("volume.stopped");
        }

        if (server.Status is not ("SHUTOFF" or "SHELVED_OFFLOADED"))
        {
            throw new RbdBackupException(ErrorKind.Busy, $"server {id} could not be stopped: it is {server.Status}", "Look at Nova's log, then run the restore again.");
        }
    }

    private async Task GiveBackAsync(HeldServer held, CancellationToken cancel)
    {
        try
        {
            if (held.Ran && (await SettledAsync(held.Id, cancel)).Status == "SHUTOFF")
            {
                await cloud.Compute.StartAsync(held.Id, cancel);
                await SettledAsync(held.Id, cancel);
            }
        }
        finally
        {
            await (held.WasLocked ? Task.CompletedTask : cloud.Compute.UnlockAsync(held.Id, cancel));
        }
    }

    /// <summary>The server once nothing is being done to it.</summary>
    private Task<Server> SettledAsync(string id, CancellationToken cancel) =>
        waiting.ForAsync($"nothing is done to server {id}", () => cloud.Compute.GetServerAsync(id, cancel), s => s.TaskState is null, cancel);

    [LoggerMessage(6001, LogLevel.Information, "volume {Volume} is held for a restore; {Servers} servers are locked and off")]
    private partial void LogHeld(string volume, int servers);

    [LoggerMessage(6002, LogLevel.Information, "volume {Volume} is given back")]
    private partial void LogGivenBack(string? volume);
}
