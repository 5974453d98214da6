using Microsoft.Extensions.Logging;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Restore;

/// <summary>A restore into an existing image that is asked for.</summary>
/// <param name="Point">The point.</param>
/// <param name="Target">The image.</param>
/// <param name="Size">The size that it shall have in bytes, not less than the point's: zeros follow; null for the point's.</param>
public sealed record InPlaceAsk(Manifest Point, ImageSpec Target, long? Size = null);

/// <summary>What a restore into an existing image did.</summary>
/// <param name="Point">The point.</param>
/// <param name="Image">The image's name.</param>
/// <param name="ImageId">The image's id, which is what it was.</param>
/// <param name="WrittenBytes">What differed, was written and read again, in bytes.</param>
/// <param name="Snapshot">The snapshot of what was there before; null where there was nothing.</param>
public sealed record InPlaceResult(PointId Point, string Image, string ImageId, long WrittenBytes, string? Snapshot);

/// <summary>
/// Gives a point back into the image that is there, by writing what differs; the image's snapshots live on. What was there before stays as a snapshot of
/// ours, which an undo goes back to, until the image's next backup sweeps it. The image's lease and its EXCLUSIVE managed lock are held
/// throughout. Killed anywhere, the same command goes on.
/// </summary>
public sealed partial class InPlaceRunner(
    IImageCluster cluster, IStateStore state, PointRepository repository, RestoreOptions options, TimeProvider time, ILogger<InPlaceRunner> log)
{
    /// <summary>Restores.</summary>
    /// <exception cref="RbdBackupException">NotFound: there is no such image; Busy: it is open elsewhere, or leased; Refused: another restore onto the name has not ended.</exception>
    public async Task<InPlaceResult> RunAsync(InPlaceAsk ask, IProgressReporter progress, CancellationToken cancel)
    {
        var chain = await repository.ReadChainAsync(ask.Point, cancel);
        return await WithImageAsync(ask.Target, async (image, info, lease, held) =>
        {
            var journal = await BeginAsync(ask, image, info, lease, held);
            var size = Math.Max(ask.Size ?? 0, ask.Point.Size);
            if (info.Size != size)
            {
                await image.ResizeAsync(size, held);
                Checkpoints.Pass("in-place.resized");
            }

            long written;
            await using (var check = await cluster.OpenAsync(ask.Target, writable: false, held))
            {
                written = await new InPlaceWriter(repository, options.WritesInFlight).WriteAsync(chain, image, check, size, progress, held);
            }

            Checkpoints.Pass("in-place.written");
            await (journal with { Done = true }).SaveAsync(lease, held);
            LogDone(ask.Point.Point, ask.Target, written);
            return new InPlaceResult(ask.Point.Point, ask.Target.ToString(), info.ImageId, written, journal.SnapshotName);
        }, cancel);
    }

    /// <summary>Makes an image again what it was before the last restore into it, or before the one that did not end; null where there was none, or where it
    /// ended and nothing was there before: then there is nothing to go back to.</summary>
    /// <param name="target">The image.</param>
    /// <param name="unfinishedOnly">True: one that ended stays.</param>
    /// <param name="cancel">Ends the undo.</param>
    /// <exception cref="RbdBackupException">Busy; Refused: the snapshot of what was there is gone.</exception>
    public async Task<InPlaceJournal?> UndoAsync(ImageSpec target, bool unfinishedOnly, CancellationToken cancel)
    {
        if (await ReadAsync(target, cancel) is not { } known || (known.Done && (unfinishedOnly || known.SnapshotName is null)))
        {
            return null;
        }

        return await WithImageAsync(target, async (image, info, lease, held) =>
        {
            if (InPlaceJournal.Of(await state.ReadAsync(lease.Name, held)) is not { } journal)
            {
                return null;
            }

            // From here on the image is not what the point is: until it is what it was, no backup may take it for either.
            RefuseIfGone(journal, image, info);
            journal = journal with { Done = false };
            await journal.SaveAsync(lease, held);
            await UndoAsync(journal, image, info, lease, held);
            await lease.UpdateAsync(new Dictionary<string, byte[]>(), [InPlaceJournal.Key], held);
            return journal;
        }, cancel);
    }

    /// <summary>What the last restore into the image under a name was about; null where there was none.</summary>
    public async Task<InPlaceJournal?> ReadAsync(ImageSpec target, CancellationToken cancel) =>
        await cluster.FindAsync(target, cancel) is { } found
            ? InPlaceJournal.Of(await state.ReadAsync(StateKeys.Image(found), cancel))
            : null;

    /// <summary>Works on an image that nobody else has open, backs up or restores meanwhile.</summary>
    private async Task<T> WithImageAsync<T>(ImageSpec target, Func<IImage, ImageInfo, ILease, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        await using var name = await state.AcquireAsync(StateKeys.Restore(target), cancel);
        if (await new RestoreRecords(cluster, state, name).ReadAsync(cancel) is { Done: false } other)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"a restore of point {other.Point} onto {target} was begun and has not ended",
                $"Run it again, or 'rbdbackup restore --undo {target}'.");
        }

        await using var image = await cluster.OpenAsync(target, writable: true, cancel);
        var before = await image.GetInfoAsync(cancel);
        await using var lease = await state.AcquireAsync(StateKeys.Image(before), cancel);
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancel, lease.Lost, name.Lost);
        await ImageSwapper.LockAsync(image, held.Token);
        var info = await image.GetInfoAsync(held.Token);
        return info.Migrating || info.MirrorNonPrimary
            ? throw new RbdBackupException(ErrorKind.Unsupported, $"{target} is under 'rbd migration', or a mirror that is not primary", "End that first.")
            : await work(image, info, lease, held.Token);
    }

    /// <summary>The record comes before the snapshot, the snapshot before the first byte. A restore that did not end left both: what was there before is there.</summary>
    private async Task<InPlaceJournal> BeginAsync(InPlaceAsk ask, IImage image, ImageInfo info, ILease lease, CancellationToken cancel)
    {
        var earlier = InPlaceJournal.Of(await state.ReadAsync(lease.Name, cancel));
        var goesOn = earlier is { Done: false, RolledBack: false };
        var id = Guid.CreateVersion7(time.GetUtcNow());
        var journal = goesOn ? earlier! with { Point = ask.Point.Point } : new InPlaceJournal
        {
            Restore = id,
            Point = ask.Point.Point,
            SnapshotName = await IsEmptyAsync(image, info, cancel) ? null : options.SnapshotName.Name(ask.Target, new PointId(id)),
            OldSize = info.Size,
            Started = time.GetUtcNow(),
        };
        await journal.SaveAsync(lease, cancel);
        Checkpoints.Pass("in-place.journal");
        if (journal is { SnapshotName: { } name, SnapshotMade: false })
        {
            // Whoever was killed before it could say so may have made it.
            await (info.Snapshots.Any(s => s.Name == name) ? Task.CompletedTask : image.CreateSnapshotAsync(name, cancel));
            Checkpoints.Pass("in-place.snapshot");
            journal = journal with { SnapshotMade = true };
            await journal.SaveAsync(lease, cancel);
        }

        if (!goesOn && info.Snapshots.FirstOrDefault(s => s.Name == earlier?.SnapshotName) is { } last)
        {
            await image.RemoveSnapshotAsync(last.Id, cancel);
        }

        return journal;
    }

    private static async Task UndoAsync(InPlaceJournal journal, IImage image, ImageInfo info, ILease lease, CancellationToken cancel)
    {
        var snapshot = info.Snapshots.FirstOrDefault(s => s.Name == journal.SnapshotName);
        if (!journal.RolledBack)
        {
            if (journal.SnapshotName is null)
            {
                await image.WriteZeroesAsync(0, info.Size, cancel);
                await image.ResizeAsync(journal.OldSize, cancel);
            }
            else if (snapshot is not null)
            {
                await image.RollbackAsync(snapshot.Id, cancel);
                Checkpoints.Pass("in-place.rolled-back");
            }

            await (journal with { RolledBack = true }).SaveAsync(lease, cancel);
        }

        await (snapshot is null ? Task.CompletedTask : image.RemoveSnapshotAsync(snapshot.Id, cancel));
    }

    private static void RefuseIfGone(InPlaceJournal journal, IImage image, ImageInfo info)
    {
        if (journal is { SnapshotMade: true, RolledBack: false } && info.Snapshots.All(s => s.Name != journal.SnapshotName))
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"the snapshot {journal.SnapshotName} of what {image.Spec} was before the restore is gone",
                "A backup since, or somebody, removed it; restore another point instead.");
        }
    }

    /// <summary>True where something was written to an image, or to its parent.</summary>
    public static async Task<bool> HasDataAsync(IImage image, ImageInfo info, CancellationToken cancel) =>
        (await InPlaceWriter.FindDataAsync(image, info.Size, cancel)).HasAnySet();

    /// <summary>True where there is nothing that a restore could overwrite.</summary>
    private static async Task<bool> IsEmptyAsync(IImage image, ImageInfo info, CancellationToken cancel) =>
        info.Snapshots.Count == 0 && info.Parent is null && !await HasDataAsync(image, info, cancel);

    [LoggerMessage(2003, LogLevel.Information, "point {Point} was written into {Target}: {Bytes} bytes differed")]
    private partial void LogDone(PointId point, ImageSpec target, long bytes);
}
