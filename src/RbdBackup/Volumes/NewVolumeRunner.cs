using Microsoft.Extensions.Logging;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Volumes;

/// <summary>A restore into a new volume that is asked for.</summary>
/// <param name="Point">The point.</param>
/// <param name="Name">The volume's name.</param>
/// <param name="VolumeType">Its type; null for the cloud's default.</param>
/// <param name="AvailabilityZone">Its availability zone; null for any.</param>
/// <param name="Source">What is known of the disk that the point was made of; null where nothing is.</param>
internal sealed record NewVolumeAsk(Manifest Point, string Name, string? VolumeType, string? AvailabilityZone, DiskSource? Source);

/// <summary>
/// Restores a point into a volume that Cinder makes for it: empty, held while it is filled, and given free when it is whole. What fails takes the volume away
/// again; what was killed is gone on with by the same command.
/// </summary>
internal sealed partial class NewVolumeRunner(
    OpenStackCloud cloud, OpenStackCloud owner, IImageCluster cluster, IStateStore state, PointRepository repository, VolumeImages images, InPlaceRunner inPlace,
    TimeProvider time, ILogger<NewVolumeRunner> log)
{
    /// <summary>The metadata key by which a volume is found that was made right before a kill; it goes when the volume is whole.</summary>
    private const string Mark = "rbdbackup_restore";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly Waiting _waiting = new(time, Patience);
    private readonly VolumeHolder _holder = new(cloud, new Waiting(time, Patience), log);

    /// <summary>Restores, and returns the volume.</summary>
    /// <exception cref="RbdBackupException">NoSpace: the pool or the project's quota has no room; and as Cinder and the restore give. No volume stays then.</exception>
    public async Task<(Volume Volume, long WrittenBytes)> RunAsync(NewVolumeAsk ask, IProgressReporter progress, CancellationToken cancel)
    {
        await using var lease = await state.AcquireAsync(StateKeys.NewVolume(ask.Point.Point, ask.Name), cancel);
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancel, lease.Lost);
        var earlier = await VolumeJournal.ReadAsync(state, lease.Name, held.Token);
        var journal = earlier ?? new VolumeJournal { Restore = Guid.CreateVersion7(time.GetUtcNow()), Point = ask.Point.Point, Started = time.GetUtcNow() };
        await journal.SaveAsync(lease, held.Token);
        try
        {
            var whole = earlier?.Volume is { } known && await IsWholeAsync(known, held.Token);
            var written = 0L;
            if (!whole)
            {
                journal = journal with { Volume = (earlier is null ? null : await FindAsync(journal, held.Token)) ?? await MakeAsync(ask, journal, held.Token) };
                await journal.SaveAsync(lease, held.Token);
                Checkpoints.Pass("volume.made");
                written = await FillAsync(ask, journal, progress, held.Token);
                await owner.BlockStorage.DeleteMetadataAsync(journal.Volume!, Mark, held.Token);
            }

            await _holder.GiveBackAsync(journal, held.Token);
            Checkpoints.Pass("volume.given-back");
            await VolumeJournal.RemoveAsync(lease, held.Token);
            return (await cloud.BlockStorage.GetVolumeAsync(journal.Volume!, held.Token), written);
        }
        catch (Exception e) when (!lease.Lost.IsCancellationRequested)
        {
            using var patience = new CancellationTokenSource(Patience, time);
            await TakeAwayAsync(journal, lease, e, patience.Token);
            throw;
        }
    }

    /// <summary>True where an earlier run had only to give it free, or has.</summary>
    private async Task<bool> IsWholeAsync(string volume, CancellationToken cancel)
    {
        try
        {
            return !(await cloud.BlockStorage.GetVolumeAsync(volume, cancel)).Metadata.ContainsKey(Mark);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return false;
        }
    }

    /// <summary>The volume that an earlier run made; null where it made none, or it is gone.</summary>
    private async Task<string?> FindAsync(VolumeJournal journal, CancellationToken cancel)
    {
        await foreach (var volume in owner.BlockStorage.ListVolumesAsync(new VolumeFilter(), cancel))
        {
            if (volume.Metadata.GetValueOrDefault(Mark) == journal.Restore.ToString())
            {
                return volume.Id;
            }
        }

        return null;
    }

    private async Task<string> MakeAsync(NewVolumeAsk ask, VolumeJournal journal, CancellationToken cancel)
    {
        var volume = new NewVolume(ask.Name, VolumePlanner.GibOf(ask.Point.Size))
        {
            VolumeType = ask.VolumeType,
            AvailabilityZone = ask.AvailabilityZone,
            Description = $"{ask.Point.Disk.Spec} as of {ask.Point.Created:yyyy-MM-dd HH:mm:ss}Z",
            Metadata = new Dictionary<string, string> { [Mark] = journal.Restore.ToString() },
        };
        var made = await owner.BlockStorage.CreateVolumeAsync(volume, cancel);
        Checkpoints.Pass("volume.asked");
        LogMade(made.Id, ask.Point.Point);
        return made.Id;
    }

    private async Task<long> FillAsync(NewVolumeAsk ask, VolumeJournal journal, IProgressReporter progress, CancellationToken cancel)
    {
        var id = journal.Volume!;
        var volume = await _waiting.ForAsync(
            $"volume {id} is made", () => cloud.BlockStorage.GetVolumeAsync(id, cancel), v => v.Status is not ("creating" or "downloading"), cancel);
        if (volume.Status is not ("available" or "reserved") || volume.Encrypted)
        {
            throw volume.Encrypted
                ? new RbdBackupException(ErrorKind.Refused, $"Cinder made an encrypted volume of type {volume.VolumeType}: the point was not written with its key", "Give --type with one that is not encrypted.")
                : new RbdBackupException(ErrorKind.Unexpected, $"Cinder could not make the volume: it is '{volume.Status}'", "Look at Cinder's log.");
        }

        var image = await images.FindAsync(volume, cancel);
        var chain = await repository.ReadChainAsync(ask.Point, cancel);
        VolumePlanner.RefuseIfFull(Math.Min(ask.Point.Size, chain.Sum(m => m.DataBytes)), await cluster.GetFreeBytesAsync(image.Spec.Pool, cancel), id);
        await _holder.HoldAsync(journal, cancel);
        Checkpoints.Pass("volume.held");
        var written = await inPlace.ReadAsync(image.Spec, cancel) is { Done: true }
            ? 0
            : (await inPlace.RunAsync(new InPlaceAsk(ask.Point, image.Spec, VolumePlanner.BytesOf(volume)), progress, cancel)).WrittenBytes;
        Checkpoints.Pass("volume.restored");
        await DescribeAsync(cloud, id, ask.Source, cancel);
        return written;
    }

    /// <summary>Says of a volume what is known of the disk that its content comes from.</summary>
    public static async Task DescribeAsync(OpenStackCloud cloud, string volume, DiskSource? source, CancellationToken cancel)
    {
        if (source is { ImageMetadata.Count: > 0 })
        {
            await cloud.BlockStorage.SetImageMetadataAsync(volume, source.ImageMetadata, cancel);
        }

        if (source is { Bootable: true })
        {
            await cloud.BlockStorage.SetBootableAsync(volume, true, cancel);
        }
    }

    private async Task TakeAwayAsync(VolumeJournal journal, ILease lease, Exception why, CancellationToken cancel)
    {
        try
        {
            if ((journal.Volume ?? await FindAsync(journal, cancel)) is { } volume)
            {
                await _holder.GiveBackAsync(journal with { Volume = volume }, cancel);
                await DeleteAsync(volume, cancel);
            }

            await VolumeJournal.RemoveAsync(lease, cancel);
        }
        catch (RbdBackupException e)
        {
            throw new RbdBackupException(
                (why as RbdBackupException ?? e).Kind, $"{why.Message}; and volume {journal.Volume}, which was made for it, could not be taken away: {e.Message}",
                "Run the same command again, or delete that volume.", why);
        }
    }

    private async Task DeleteAsync(string volume, CancellationToken cancel)
    {
        await _waiting.ForAsync($"volume {volume} is gone", async () =>
        {
            try
            {
                var seen = await cloud.BlockStorage.GetVolumeAsync(volume, cancel);
                if (seen.Status is "available" or "error" or "error_deleting")
                {
                    await cloud.BlockStorage.DeleteVolumeAsync(volume, cancel);
                }

                return false;
            }
            catch (RbdBackupException e) when (e.Kind is ErrorKind.NotFound)
            {
                return true;
            }
        }, gone => gone, cancel);
    }

    [LoggerMessage(6020, LogLevel.Information, "volume {Volume} is made for point {Point}")]
    private partial void LogMade(string volume, PointId point);
}
