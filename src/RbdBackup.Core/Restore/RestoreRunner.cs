using Microsoft.Extensions.Logging;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Restore;

/// <summary>How restores are made.</summary>
/// <param name="WritesInFlight">The frames that are fetched and written at a time.</param>
/// <param name="TrashDeferment">How long a replaced image is kept in the trash.</param>
/// <param name="SnapshotName">How base snapshots are called.</param>
public sealed record RestoreOptions(int WritesInFlight, TimeSpan TrashDeferment, SnapshotNaming SnapshotName);

/// <summary>A restore that is asked for.</summary>
/// <param name="Point">The point.</param>
/// <param name="Target">The name to restore to.</param>
/// <param name="Replace">True: an image under that name is replaced, and goes to the trash.</param>
/// <param name="LoseSnapshots">True: also where the old image has snapshots that are not ours.</param>
/// <param name="Size">The size that the image shall have in bytes, not less than the point's: zeros follow; null for the point's.</param>
public sealed record RestoreAsk(Manifest Point, ImageSpec Target, bool Replace, bool LoseSnapshots, long? Size = null)
{
    /// <summary>
    /// Makes whoever has the image open let go of it: called when the new image is full and verified, right before the old one is moved aside, so that a server is off for
    /// no longer than it must. Null: nobody has it open.
    /// </summary>
    public Func<CancellationToken, Task>? LetGoAsync { get; init; }
}

/// <summary>What a restore did.</summary>
/// <param name="Point">The point.</param>
/// <param name="Image">The name.</param>
/// <param name="ImageId">The new image.</param>
/// <param name="ReplacedImageId">The old image, now in the trash; null where there was none.</param>
/// <param name="WrittenBytes">The bytes written and read again; 0 where an earlier run had filled the image.</param>
public sealed record RestoreResult(PointId Point, string Image, string ImageId, string? ReplacedImageId, long WrittenBytes);

/// <summary>
/// Gives a point back under a name: new image, filled and verified, with its base snapshot and its binding, then swapped in. Every step is decided by
/// image ids, so the same command after a kill goes on.
/// </summary>
public sealed partial class RestoreRunner(
    IImageCluster cluster, IStateStore state, PointRepository repository, RestoreOptions options, TimeProvider time, ILogger<RestoreRunner> log)
{
    private readonly ImageSwapper _swapper = new(cluster, options);

    /// <summary>Restores.</summary>
    /// <exception cref="RbdBackupException">Refused: the name is taken, watched, or has snapshots that would be lost; and as the steps give.</exception>
    public async Task<RestoreResult> RunAsync(RestoreAsk ask, IProgressReporter progress, CancellationToken cancel)
    {
        var chain = await repository.ReadChainAsync(ask.Point, cancel);
        await using var lease = await AcquireAsync(ask.Target, cancel);
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancel, lease.Lost);
        var records = new RestoreRecords(cluster, state, lease);
        var journal = await BeginAsync(ask, records, held.Token);
        var written = 0L;
        for (var step = RestoreStep.MakeScratch; step != RestoreStep.Finish;)
        {
            step = RestorePlanner.Next(journal, await records.LookAsync(journal, held.Token));
            LogStep(step, ask.Point.Point, ask.Target);
            (journal, var filled) = await StepAsync(step, journal, ask, chain, records, progress, held.Token);
            written += filled;
        }

        await records.SaveAsync(journal with { Done = true }, held.Token);
        return new RestoreResult(journal.Point, journal.Target, journal.NewImageId!, journal.OldImageId, written);
    }

    /// <summary>Brings back the image that the last restore onto a name replaced; the restored one goes to the trash.</summary>
    /// <exception cref="RbdBackupException">NotFound: there is no restore to undo; Refused: the image is in use, or the old one is gone from the trash.</exception>
    public async Task<RestoreJournal> UndoAsync(ImageSpec target, CancellationToken cancel)
    {
        return await TryUndoAsync(target, unfinishedOnly: false, cancel) ?? throw new RbdBackupException(
            ErrorKind.NotFound, $"no restore onto {target} is known that could be undone", "'rbd trash ls' shows images that were replaced.");
    }

    /// <summary>As <see cref="UndoAsync(ImageSpec, CancellationToken)"/>; null where there is nothing to undo.</summary>
    /// <param name="target">The name.</param>
    /// <param name="unfinishedOnly">True: a restore that ended stays.</param>
    /// <param name="cancel">Ends the undo.</param>
    public async Task<RestoreJournal?> TryUndoAsync(ImageSpec target, bool unfinishedOnly, CancellationToken cancel)
    {
        await using var lease = await AcquireAsync(target, cancel);
        var records = new RestoreRecords(cluster, state, lease);
        if (await records.ReadAsync(cancel) is not { } journal || (unfinishedOnly && journal.Done))
        {
            return null;
        }

        await UndoAsync(journal, records, cancel);
        return journal;
    }

    private async Task<ILease> AcquireAsync(ImageSpec target, CancellationToken cancel) =>
        await state.AcquireAsync(StateKeys.Restore(target), cancel);

    /// <summary>Takes up the restore that was begun with the same point; undoes one with another point that did not get to its end.</summary>
    private async Task<RestoreJournal> BeginAsync(RestoreAsk ask, RestoreRecords records, CancellationToken cancel)
    {
        var earlier = await records.ReadAsync(cancel);
        if (earlier is { Done: false, Undoing: false } && earlier.Point == ask.Point.Point)
        {
            return earlier;
        }

        if (earlier is { Done: false })
        {
            await UndoAsync(earlier, records, cancel);
        }

        var found = await cluster.FindAsync(ask.Target, cancel);
        var old = found?.ImageId;
        if (found is not null)
        {
            // In the trash it would lose the snapshot of what it was.
            InPlaceJournal.RefuseUnfinished(await state.ReadAsync(StateKeys.Image(found), cancel), ask.Target);
            await _swapper.RefuseIfInUseAsync(ask, mayBeOpen: ask.LetGoAsync is not null, cancel);
        }

        var journal = new RestoreJournal
        {
            Restore = Guid.CreateVersion7(time.GetUtcNow()),
            Point = ask.Point.Point,
            Target = ask.Target.ToString(),
            OldImageId = old,
            Started = time.GetUtcNow(),
        };
        await records.SaveAsync(journal, cancel);
        Checkpoints.Pass("restore.journal");
        return journal;
    }

    private async Task<(RestoreJournal Journal, long Written)> StepAsync(
        RestoreStep step, RestoreJournal journal, RestoreAsk ask, IReadOnlyList<Manifest> chain, RestoreRecords records, IProgressReporter progress, CancellationToken cancel)
    {
        switch (step)
        {
            case RestoreStep.MakeScratch:
                await cluster.RemoveAsync(journal.Scratch, cancel);
                var replaced = await cluster.FindAsync(ask.Target, cancel) is { } there && there.ImageId == journal.OldImageId ? there.Layout : null;
                await cluster.CreateAsync(journal.Scratch, ask.Point.Size, RestorePlanner.LayoutOf(ask.Point.Layout, replaced), cancel);
                Checkpoints.Pass("restore.made");
                journal = journal with { NewImageId = (await cluster.FindAsync(journal.Scratch, cancel))?.ImageId, Filled = false };
                break;
            case RestoreStep.Fill:
                var written = await FillAsync(journal, ask, chain, records, progress, cancel);
                journal = journal with { Filled = true };
                await records.SaveAsync(journal, cancel);
                Checkpoints.Pass("restore.filled");
                return (journal, written);
            case RestoreStep.MoveOldAside:
                await (ask.LetGoAsync?.Invoke(cancel) ?? Task.CompletedTask);
                await _swapper.MoveOldAsideAsync(journal, ask, cancel);
                Checkpoints.Pass("restore.aside");
                break;
            case RestoreStep.MoveNewIn:
                await cluster.RenameAsync(journal.Scratch, journal.TargetSpec.Name, cancel);
                Checkpoints.Pass("restore.in");
                break;
            case RestoreStep.TrashOld:
                await _swapper.TrashAsync(journal.Aside, cancel);
                Checkpoints.Pass("restore.trashed");
                break;
            case RestoreStep.Conflict:
                throw new RbdBackupException(
                    ErrorKind.Refused, $"another image appeared under {ask.Target} while it was restored",
                    $"Rename that image, then restore again; or 'rbdbackup restore --undo {ask.Target}'.");
        }

        await records.SaveAsync(journal, cancel);
        return (journal, 0);
    }

    private async Task<long> FillAsync(
        RestoreJournal journal, RestoreAsk ask, IReadOnlyList<Manifest> chain, RestoreRecords records, IProgressReporter progress, CancellationToken cancel)
    {
        var name = options.SnapshotName.Name(ask.Target, ask.Point.Point);
        FillResult result;
        ulong snapshot;
        await using (var target = await cluster.OpenAsync(journal.Scratch, writable: true, cancel))
        {
            // A run that was killed behind the snapshot fills again: the same bytes, and a snapshot of all of them.
            foreach (var left in (await target.GetInfoAsync(cancel)).Snapshots)
            {
                await target.RemoveSnapshotAsync(left.Id, cancel);
            }

            await using (var check = await cluster.OpenAsync(journal.Scratch, writable: false, cancel))
            {
                result = await new ImageFiller(repository, options.WritesInFlight).FillAsync(chain, target, check, progress, cancel);
            }

            Checkpoints.Pass("restore.verified");
            snapshot = await target.CreateSnapshotAsync(name, cancel);
            Checkpoints.Pass("restore.snapshot");
            if (ask.Size > ask.Point.Size)
            {
                await target.ResizeAsync(ask.Size.Value, cancel);
            }

            // Metadata may hold QoS limits, which would slow the fill: it comes last.
            foreach (var (key, value) in ask.Point.ImageMetadata)
            {
                await target.SetMetadataAsync(key, value, cancel);
            }
        }

        await records.BindAsync(journal, new RestoreBinding(ask.Point.Point, ask.Point.Disk.Key, snapshot, name), cancel);
        Checkpoints.Pass("restore.bound");
        return result.WrittenBytes;
    }

    private async Task UndoAsync(RestoreJournal journal, RestoreRecords records, CancellationToken cancel)
    {
        journal = journal with { Undoing = true, Done = false };
        await records.SaveAsync(journal, cancel);
        for (var step = RestoreStep.DropNew; step != RestoreStep.Finish;)
        {
            step = RestorePlanner.NextUndo(journal, await records.LookAsync(journal, cancel));
            LogUndo(step, journal.Target);
            await _swapper.UndoStepAsync(step, journal, cancel);
        }

        await records.RemoveAsync(cancel);
    }

    [LoggerMessage(2001, LogLevel.Information, "restore of {Point} to {Target}: {Step}")]
    private partial void LogStep(RestoreStep step, PointId point, ImageSpec target);

    [LoggerMessage(2002, LogLevel.Information, "undo of the restore to {Target}: {Step}")]
    private partial void LogUndo(RestoreStep step, string target);
}
