using Microsoft.Extensions.Logging;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Volumes;

/// <summary>A restore into a volume that is asked for.</summary>
/// <param name="Point">The point.</param>
/// <param name="Volume">The volume's id.</param>
/// <param name="InPlace">True: what differs is written into the image that is there; false: a new image takes its place.</param>
/// <param name="StopServers">True: servers that have the volume may be stopped.</param>
internal sealed record VolumeAsk(Manifest Point, string Volume, bool InPlace, bool StopServers);

/// <summary>What a restore into a volume did.</summary>
/// <param name="Volume">The volume's id.</param>
/// <param name="Image">Its image's name.</param>
/// <param name="WrittenBytes">The bytes written and read again.</param>
/// <param name="ReplacedImageId">The image that was replaced, now in the trash; null in place.</param>
/// <param name="Servers">The servers that were stopped meanwhile.</param>
internal sealed record VolumeResult(string Volume, ImageSpec Image, long WrittenBytes, string? ReplacedImageId, IReadOnlyList<string> Servers);

/// <summary>
/// Restores a point into a volume that Cinder has. The journal comes first, then the volume is taken, then its image is restored; whatever happens then, the
/// volume and its servers are given back as they were, with the old content where the new one did not become whole. Killed anywhere, the next restore into the
/// same volume, or its undo, goes on from the journal.
/// </summary>
internal sealed partial class VolumeRestoreRunner(
    OpenStackCloud cloud, IImageCluster cluster, IStateStore state, PointRepository repository, VolumeImages images, RestoreRunner swap, InPlaceRunner inPlace,
    SnapshotNaming naming, TimeProvider time, ILogger<VolumeRestoreRunner> log)
{
    /// <summary>How long a server may take to stop or to start.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly VolumeHolder _holder = new(cloud, new Waiting(time, Patience), log);

    /// <summary>Restores.</summary>
    /// <exception cref="RbdBackupException">As <see cref="VolumePlanner"/> and the restore of the image give.</exception>
    public Task<VolumeResult> RunAsync(VolumeAsk ask, IProgressReporter progress, CancellationToken cancel) =>
        WithVolumeAsync(ask.Volume, ask, ask.StopServers, async (sight, image, held) =>
        {
            var size = VolumePlanner.BytesOf(sight.Volume);
            // One of the other kind, that was killed, is taken back first.
            if (ask.InPlace)
            {
                await swap.TryUndoAsync(image.Spec, unfinishedOnly: true, held);
                var written = await inPlace.RunAsync(new InPlaceAsk(ask.Point, image.Spec, size), progress, held);
                return new VolumeResult(ask.Volume, image.Spec, written.WrittenBytes, null, Ids(sight));
            }

            await inPlace.UndoAsync(image.Spec, unfinishedOnly: true, held);
            var result = await swap.RunAsync(new RestoreAsk(ask.Point, image.Spec, Replace: true, LoseSnapshots: false, size), progress, held);
            return new VolumeResult(ask.Volume, image.Spec, result.WrittenBytes, result.ReplacedImageId, Ids(sight));
        }, cancel);

    /// <summary>Makes a volume again what it was before its last restore, and gives back what one that was killed still holds.</summary>
    /// <returns>The image's name, and the point whose restore was undone; null where there was none.</returns>
    public Task<(ImageSpec Image, PointId? Undone)> UndoAsync(string volume, bool stopServers, CancellationToken cancel) =>
        WithVolumeAsync(volume, null, stopServers, async (_, image, held) => (image.Spec, await UndoImageAsync(image.Spec, unfinishedOnly: false, held)), cancel);

    private static List<string> Ids(VolumeSight sight) => [.. sight.Servers.Select(s => s.Id)];

    private async Task<T> WithVolumeAsync<T>(
        string id, VolumeAsk? ask, bool stopServers, Func<VolumeSight, ImageInfo, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        await using var lease = await state.AcquireAsync(StateKeys.Volume(id), cancel);
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancel, lease.Lost);
        var earlier = await VolumeJournal.ReadAsync(state, lease.Name, held.Token);
        var volume = await cloud.BlockStorage.GetVolumeAsync(id, held.Token);
        var image = await FindImageAsync(volume, earlier, held.Token);
        var (sight, servers) = await PlanAsync(volume, image, ask, stopServers, earlier, lease, held.Token);
        if (earlier?.Servers.Where(e => servers.All(s => s.Id != e.Id)).ToList() is { Count: > 0 } left)
        {
            await _holder.GiveBackAsync(earlier with { Volume = null, Servers = left }, held.Token);
        }

        var journal = new VolumeJournal
        {
            Restore = earlier?.Restore ?? Guid.CreateVersion7(time.GetUtcNow()),
            Volume = id,
            Point = ask?.Point.Point,
            Servers = servers,
            Started = time.GetUtcNow(),
        };
        await journal.SaveAsync(lease, held.Token);
        Checkpoints.Pass("volume.journal");
        return await WhileHeldAsync(journal, lease, image.Spec, () => work(sight, image, held.Token), held.Token);
    }

    /// <summary>Looks and plans; where it can't be done, what a run that was killed still holds is given back.</summary>
    private async Task<(VolumeSight Sight, IReadOnlyList<HeldServer> Servers)> PlanAsync(
        Volume volume, ImageInfo image, VolumeAsk? ask, bool stopServers, VolumeJournal? earlier, ILease lease, CancellationToken cancel)
    {
        try
        {
            var sight = await LookAsync(volume, image, cancel);
            var want = ask is null ? null : await WantAsync(ask, image.Spec.Pool, cancel);
            return (sight, VolumePlanner.Plan(sight, want, stopServers || earlier is not null, earlier));
        }
        catch (RbdBackupException e) when (earlier is not null && !e.IsTransient)
        {
            await TakeBackAsync(earlier, lease, image.Spec, e);
            throw;
        }
    }

    /// <summary>Does the work with the volume in our hands, and gives it back whatever comes of it.</summary>
    private async Task<T> WhileHeldAsync<T>(VolumeJournal journal, ILease lease, ImageSpec image, Func<Task<T>> work, CancellationToken cancel)
    {
        T result;
        try
        {
            await _holder.HoldAsync(journal, cancel);
            Checkpoints.Pass("volume.held");
            result = await work();
            Checkpoints.Pass("volume.restored");
        }
        catch (Exception e) when (!lease.Lost.IsCancellationRequested)
        {
            await TakeBackAsync(journal, lease, image, e);
            throw;
        }

        await EndAsync(journal, lease, cancel);
        return result;
    }

    /// <summary>Half of a point is nothing to give back: where the old content can't be brought back now, the volume stays held, and the journal says so.</summary>
    private async Task TakeBackAsync(VolumeJournal journal, ILease lease, ImageSpec image, Exception why)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            await UndoImageAsync(image, unfinishedOnly: true, patience.Token);
            await EndAsync(journal, lease, patience.Token);
            LogFailed(why.Message, journal.Volume);
        }
        catch (RbdBackupException e)
        {
            throw new RbdBackupException(
                (why as RbdBackupException ?? e).Kind, $"{why.Message}; and volume {journal.Volume} could not be given back: {e.Message}",
                $"Run the same command again, or 'rbdbackup restore --undo {journal.Volume}': until then the volume is held.", why);
        }
    }

    private async Task EndAsync(VolumeJournal journal, ILease lease, CancellationToken cancel)
    {
        await _holder.GiveBackAsync(journal, cancel);
        Checkpoints.Pass("volume.given-back");
        await VolumeJournal.RemoveAsync(lease, cancel);
    }

    /// <summary>The point whose restore was undone; null where there was none.</summary>
    private async Task<PointId?> UndoImageAsync(ImageSpec image, bool unfinishedOnly, CancellationToken cancel)
    {
        if (await inPlace.UndoAsync(image, unfinishedOnly, cancel) is { } written)
        {
            return written.Point;
        }

        return (await swap.TryUndoAsync(image, unfinishedOnly, cancel))?.Point;
    }

    /// <summary>The volume's image; where a swap was killed between its two renames, none has the name, and an undo brings the old one back.</summary>
    private async Task<ImageInfo> FindImageAsync(Volume volume, VolumeJournal? earlier, CancellationToken cancel)
    {
        try
        {
            return await images.FindAsync(volume, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound && earlier is not null)
        {
            await swap.TryUndoAsync(images.UsualSpec(volume), unfinishedOnly: true, cancel);
            return await images.FindAsync(volume, cancel);
        }
    }

    private async Task<VolumeSight> LookAsync(Volume volume, ImageInfo image, CancellationToken cancel)
    {
        var servers = new List<Server>();
        foreach (var attached in volume.Attachments)
        {
            servers.Add(await cloud.Compute.GetServerAsync(
                attached.ServerId ?? throw new RbdBackupException(
                    ErrorKind.Refused, $"volume {volume.Id} is attached to a host, {attached.HostName ?? "which we may not see"}, without a server", "Detach it there first."),
                cancel));
        }

        var snapshots = await cloud.BlockStorage.ListSnapshotsAsync(new SnapshotFilter { AllProjects = true, VolumeId = volume.Id }, cancel).Select(s => $"snapshot-{s.Id}").ToListAsync(cancel);
        var others = image.Snapshots.Where(s => s.Namespace != SnapshotNamespace.Trash && naming.PointOf(s.Name) is null && !snapshots.Contains(s.Name)).Select(s => s.Name);
        return new VolumeSight(volume, servers, snapshots.Count, [.. others]);
    }

    /// <summary>No more is written than the point and those that it stands on hold.</summary>
    private async Task<VolumeWant> WantAsync(VolumeAsk ask, string pool, CancellationToken cancel)
    {
        var chain = await repository.ReadChainAsync(ask.Point, cancel);
        return new VolumeWant(
            ask.Point.Size, Math.Min(ask.Point.Size, chain.Sum(m => m.DataBytes)), await cluster.GetFreeBytesAsync(pool, cancel), ask.InPlace);
    }

    [LoggerMessage(6010, LogLevel.Warning, "the restore into volume {Volume} ended: {Why}; what it was is given back")]
    private partial void LogFailed(string why, string? volume);
}
