using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Observe;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Volumes;

/// <summary>
/// Fills the volume of a tenant that asks for it with its metadata: checks, holds, fills, describes, gives free, and says on the volume what came of it. The
/// volume's lease makes it once however many workers run; what one that died began, another goes on with.
/// </summary>
internal sealed partial class VolumeFiller(
    OpenStackCloud cloud, IImageCluster cluster, IStateStore state, PointRepository repository, InPlaceRunner inPlace, JobEvents events, RbdBackupSettings settings, TimeProvider time,
    ILogger<VolumeFiller> log)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly VolumeHolder _holder = new(cloud, new Waiting(time, Patience), log);
    private readonly VolumeImages _images = new(cluster, settings.Pools);
    private readonly PointOwner _owner = new(cloud, settings.Pools);

    /// <summary>The metadata key that asks.</summary>
    public string AskKey => $"{settings.Notifications.MetadataPrefix}restore";

    /// <summary>The metadata key that answers.</summary>
    public string StatusKey => $"{AskKey}_status";

    /// <summary>True for a volume that asks and has no answer yet.</summary>
    public bool Wants(Volume volume) => !volume.IsMigrationTarget && volume.Metadata.ContainsKey(AskKey) && !FillStatus.IsFinal(volume.Metadata.GetValueOrDefault(StatusKey));

    /// <summary>Fills a volume, or says why not. What may pass is tried again by the next call, up to the limit for jobs.</summary>
    /// <exception cref="RbdBackupException">Busy: another worker has it; Unavailable: it can't be looked at now.</exception>
    public async Task FillAsync(string id, CancellationToken cancel)
    {
        await using var lease = await state.AcquireAsync(StateKeys.Volume(id), cancel);
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancel, lease.Lost);
        var journal = await VolumeJournal.ReadAsync(state, lease.Name, held.Token);
        if (journal is { ForTenant: false })
        {
            return;
        }

        if (await FindAsync(id, held.Token) is not { } volume)
        {
            // Deleted: so is what was written to it.
            await (journal is null ? Task.CompletedTask : VolumeJournal.RemoveAsync(lease, held.Token));
            return;
        }

        if (journal is null ? Wants(volume) && volume.Status is not ("creating" or "downloading" or "error" or "deleting" or "error_deleting") : true)
        {
            await DecideAsync(volume, journal, lease, held.Token);
        }
    }

    private async Task DecideAsync(Volume volume, VolumeJournal? journal, ILease lease, CancellationToken cancel)
    {
        var asked = volume.Metadata.GetValueOrDefault(AskKey) ?? "";
        RestoreWish? wish = journal?.Point is { } begun ? new RestoreWish(begun, null, default) : RestoreWish.TryParse(asked, out var parsed) ? parsed : null;
        if ((wish is null ? $"{AskKey} is neither a point's id nor ID@TIME nor ID@latest" : FillPlanner.RefuseVolume(volume, journal is not null)) is { } refusal)
        {
            await RefuseAsync(volume, refusal, journal, lease, cancel);
            return;
        }

        var point = await FindPointAsync(wish!, cancel);
        var owner = point is null ? null : await _owner.OfAsync(point, cancel);
        var image = await _images.FindAsync(volume, cancel);
        var refused = FillPlanner.RefusePoint(wish!, point, owner, volume) ?? (journal is null ? await RefuseImageAsync(image, volume, cancel) : null);
        if (refused is not null)
        {
            await RefuseAsync(volume, refused, journal, lease, cancel);
            return;
        }

        journal ??= new VolumeJournal { Restore = Guid.CreateVersion7(time.GetUtcNow()), Volume = volume.Id, Point = point!.Point, ForTenant = true, Started = time.GetUtcNow() };
        journal = journal with { Tries = journal.Tries + 1 };
        await journal.SaveAsync(lease, cancel);
        Checkpoints.Pass("fill.journal");
        await TryAsync(volume, image.Spec, point!, journal, lease, cancel);
    }

    private async Task TryAsync(Volume volume, ImageSpec image, Manifest point, VolumeJournal journal, ILease lease, CancellationToken cancel)
    {
        try
        {
            await SayAsync(volume, FillStatus.Filling(point.Point), cancel);
            await _holder.HoldAsync(journal, cancel);
            Checkpoints.Pass("fill.held");

            // From the moment that it is held to the first byte of ours nobody else's may be there, whatever was seen before.
            var begun = await inPlace.ReadAsync(image, cancel);
            if (begun is null && await RefuseImageAsync(await _images.FindAsync(volume, cancel), volume, cancel) is { } refused)
            {
                await RefuseAsync(volume, refused, journal, lease, cancel);
                return;
            }

            await (begun is { Done: true } ? Task.CompletedTask : events.RestoreAsync(point, volume.Id, volume.ProjectId, () => WriteAsync(volume, image, point, cancel)));
            Checkpoints.Pass("fill.filled");
            await NewVolumeRunner.DescribeAsync(cloud, volume.Id, await DiskSource.FindAsync(cloud, settings.Pools, point, cancel), cancel);
            await SayAsync(volume, FillStatus.Done(point.Point, point.Created), cancel);
            Checkpoints.Pass("fill.said");
            await EndAsync(journal, lease, cancel);
            LogFilled(volume.Id, volume.ProjectId, point.Point);
        }
        catch (RbdBackupException e) when (!cancel.IsCancellationRequested && (journal.Tries >= settings.Jobs.MaxAttempts || !MayPass(e)))
        {
            LogGivenUp(volume.Id, e.Message, e.Remedy);
            await GiveUpAsync(volume, image, journal, lease, cancel);
        }
    }

    private async Task WriteAsync(Volume volume, ImageSpec image, Manifest point, CancellationToken cancel)
    {
        var chain = await repository.ReadChainAsync(point, cancel);
        VolumePlanner.RefuseIfFull(Math.Min(point.Size, chain.Sum(m => m.DataBytes)), await cluster.GetFreeBytesAsync(image.Pool, cancel), volume.Id);
        await inPlace.RunAsync(new InPlaceAsk(point, image, VolumePlanner.BytesOf(volume)), IProgressReporter.None, cancel);
    }

    /// <summary>A volume that was begun is empty before it is free again: half of a point is nothing.</summary>
    private async Task GiveUpAsync(Volume volume, ImageSpec image, VolumeJournal journal, ILease lease, CancellationToken cancel)
    {
        await inPlace.UndoAsync(image, unfinishedOnly: true, cancel);
        await SayAsync(volume, FillStatus.Failed("the point could not be restored, and the volume is empty; the operators' log says why"), cancel);
        await EndAsync(journal, lease, cancel);
    }

    private async Task RefuseAsync(Volume volume, string why, VolumeJournal? journal, ILease lease, CancellationToken cancel)
    {
        LogRefused(volume.Id, volume.ProjectId, why);
        if (journal is not null)
        {
            await inPlace.UndoAsync((await _images.FindAsync(volume, cancel)).Spec, unfinishedOnly: true, cancel);
        }

        await SayAsync(volume, FillStatus.Refused(why), cancel);
        await (journal is null ? Task.CompletedTask : EndAsync(journal, lease, cancel));
    }

    private async Task EndAsync(VolumeJournal journal, ILease lease, CancellationToken cancel)
    {
        await _holder.GiveBackAsync(journal, cancel);
        await VolumeJournal.RemoveAsync(lease, cancel);
    }

    private async Task<string?> RefuseImageAsync(ImageInfo image, Volume volume, CancellationToken cancel)
    {
        await using var opened = await cluster.OpenAsync(image.Spec, writable: false, cancel);
        return FillPlanner.RefuseImage(image, volume, await InPlaceRunner.HasDataAsync(opened, image, cancel));
    }

    private async Task<Manifest?> FindPointAsync(RestoreWish wish, CancellationToken cancel)
    {
        try
        {
            if (wish.Point is { } id)
            {
                return await repository.FindAsync(id, cancel);
            }
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }

        var points = new List<Manifest>();
        RbdBackupException? failed = null;
        var named = (await FindAsync(wish.Disk!, cancel))?.NameId ?? wish.Disk!;
        foreach (var disk in DiskNames.Of(settings.Pools, wish.Disk!).Concat(DiskNames.Of(settings.Pools, named)).Distinct())
        {
            try
            {
                points.AddRange(await repository.ReadDiskAsync(Keys.Disk(await cluster.GetFsidAsync(disk.Pool, cancel), disk), null, cancel));
            }
            catch (RbdBackupException e) when (settings.Clusters.Count > 0)
            {
                // The disk is probably another cluster's, which answers.
                failed ??= e;
            }
        }

        return points.Count == 0 && failed is not null ? throw failed : FillPlanner.NewestUpTo(points, wish.At);
    }

    private async Task<Volume?> FindAsync(string id, CancellationToken cancel)
    {
        try
        {
            return await cloud.BlockStorage.GetVolumeAsync(id, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }

    private async Task SayAsync(Volume volume, string status, CancellationToken cancel)
    {
        if (volume.Metadata.GetValueOrDefault(StatusKey) != status)
        {
            await cloud.BlockStorage.SetMetadataAsync(volume.Id, new Dictionary<string, string> { [StatusKey] = status }, cancel);
        }
    }

    /// <summary>Corrupt data and what was refused stay what they are.</summary>
    private static bool MayPass(RbdBackupException e) => e.IsTransient || e.Kind is ErrorKind.NoSpace or ErrorKind.Unexpected;

    [LoggerMessage(6030, LogLevel.Information, "volume {Volume} of project {Project} is filled from point {Point}")]
    private partial void LogFilled(string volume, string? project, PointId point);

    [LoggerMessage(6031, LogLevel.Warning, "volume {Volume} of project {Project} is not filled: {Why}")]
    private partial void LogRefused(string volume, string? project, string why);

    [LoggerMessage(6032, LogLevel.Error, "the fill of volume {Volume} is given up: {Why}. {Remedy}")]
    private partial void LogGivenUp(string volume, string why, string? remedy);
}
