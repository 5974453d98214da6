using Microsoft.Extensions.Logging;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Composition;

/// <summary>Asks Nova or Cinder what it does to a disk, before a snapshot is made: the message that tells of it may be late, or lost.</summary>
internal sealed partial class CloudActivity(OpenStackCloud cloud, MeaningOptions meaning, TimeProvider time, ILogger log) : IDiskActivity
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly string[] ServerWork = ["deleting", "soft-deleting", "rebuild", "shelving", "unshelving", "resize_"];
    private static readonly HashSet<string> VolumeWork = ["deleting", "retyping", "reverting"];

    /// <inheritdoc/>
    public async Task<string?> BusyWithAsync(ImageSpec disk, string? volume, CancellationToken cancel)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, patience.Token);
        try
        {
            return await AskAsync(disk, volume, both.Token);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
        catch (RbdBackupException e)
        {
            LogUnknown(disk, e.Message);
            return null;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            LogUnknown(disk, $"no answer within {Patience.TotalSeconds:F0} s");
            return null;
        }
    }

    private async Task<string?> AskAsync(ImageSpec disk, string? known, CancellationToken cancel)
    {
        if (meaning.IdOf(DiskKind.Server, disk) is { } server)
        {
            var task = (await cloud.Compute.GetServerAsync(server, cancel)).TaskState;
            return task is not null && ServerWork.Any(w => task.StartsWith(w, StringComparison.Ordinal)) ? task : null;
        }

        if ((known ?? meaning.IdOf(DiskKind.Volume, disk)) is { } volume)
        {
            var status = (await cloud.BlockStorage.GetVolumeAsync(volume, cancel)).Status;
            return VolumeWork.Contains(status) ? status : null;
        }

        return null;
    }

    [LoggerMessage(4070, LogLevel.Warning, "what the cloud does to {Image} is not known; its backup begins nevertheless: {Why}")]
    private partial void LogUnknown(ImageSpec image, string why);
}
