using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Restore;

/// <summary>
/// Exchanges images under a name. Nothing in RBD refuses to rename or to trash an image that a guest has open, and the guest would write on to it: so
/// watchers are looked for before and behind taking the lock, which is held throughout.
/// </summary>
internal sealed class ImageSwapper(IImageCluster cluster, RestoreOptions options)
{
    /// <summary>Refuses where the image under the target's name may not be replaced. Asked before the fill, which takes long, and again before the swap.</summary>
    public async Task RefuseIfInUseAsync(RestoreAsk ask, bool mayBeOpen, CancellationToken cancel)
    {
        if (!ask.Replace)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"{ask.Target} exists", "Give --replace to put the point in its place (the old image goes to the trash), or another --to.");
        }

        await using var image = await cluster.OpenAsync(ask.Target, writable: false, cancel);
        if (!mayBeOpen)
        {
            await RefuseIfWatchedAsync(image, cancel);
        }

        var foreign = (await image.GetInfoAsync(cancel)).Snapshots.Where(s => options.SnapshotName.PointOf(s.Name) is null).ToList();
        if (foreign.Count > 0 && !ask.LoseSnapshots)
        {
            throw new RbdBackupException(
                ErrorKind.Refused,
                $"{ask.Target} has {foreign.Count} snapshots that are not ours ({string.Join(", ", foreign.Take(5).Select(s => s.Name))}); the restored image would not have them",
                "Give --lose-snapshots to replace it all the same: they go to the trash with the old image.");
        }
    }

    /// <summary>Renames the old image to its aside name, with nobody else writing to it.</summary>
    public async Task MoveOldAsideAsync(RestoreJournal journal, RestoreAsk ask, CancellationToken cancel)
    {
        await RefuseIfInUseAsync(ask, mayBeOpen: false, cancel);
        await WhileLockedAsync(journal.TargetSpec, journal.Aside.Name, cancel);
    }

    /// <summary>Moves an image to the trash; our own snapshots go, since a purge leaves an image alone that has any.</summary>
    public async Task TrashAsync(ImageSpec spec, CancellationToken cancel)
    {
        await using (var image = await cluster.OpenAsync(spec, writable: true, cancel))
        {
            foreach (var snapshot in (await image.GetInfoAsync(cancel)).Snapshots.Where(s => options.SnapshotName.PointOf(s.Name) is not null))
            {
                await image.RemoveSnapshotAsync(snapshot.Id, cancel);
            }
        }

        await cluster.TrashMoveAsync(spec, options.TrashDeferment, cancel);
    }

    /// <summary>Carries out a step of an undo.</summary>
    public async Task UndoStepAsync(RestoreStep step, RestoreJournal journal, CancellationToken cancel)
    {
        var target = journal.TargetSpec;
        switch (step)
        {
            case RestoreStep.MoveNewOut:
                await WhileLockedAsync(target, journal.Scratch.Name, cancel);
                break;
            case RestoreStep.MoveOldBack:
                await cluster.RenameAsync(journal.Aside, target.Name, cancel);
                break;
            case RestoreStep.RestoreOld:
                await cluster.TrashRestoreAsync(target.Pool, target.Namespace, journal.OldImageId!, target.Name, cancel);
                break;
            case RestoreStep.DropNew when journal.Filled:
                await TrashAsync(journal.Scratch, cancel);
                break;
            case RestoreStep.DropNew:
                await DropUnfinishedAsync(journal.Scratch, cancel);
                break;
            case RestoreStep.Conflict:
                throw new RbdBackupException(
                    ErrorKind.Refused, $"another image has the name {target}, neither the restored one nor the one that it replaced",
                    $"Rename that image away, then run 'rbdbackup restore --undo {target}' again.");
            case RestoreStep.OldIsGone:
                throw new RbdBackupException(
                    ErrorKind.Refused, $"the image that was replaced (id {journal.OldImageId}) is no longer in the trash of {target.Pool}",
                    "It was purged or restored by somebody; restore another point instead.");
        }
    }

    private async Task DropUnfinishedAsync(ImageSpec scratch, CancellationToken cancel)
    {
        await using (var image = await cluster.OpenAsync(scratch, writable: true, cancel))
        {
            foreach (var snapshot in (await image.GetInfoAsync(cancel)).Snapshots)
            {
                await image.RemoveSnapshotAsync(snapshot.Id, cancel);
            }
        }

        await cluster.RemoveAsync(scratch, cancel);
    }

    private async Task WhileLockedAsync(ImageSpec spec, string newName, CancellationToken cancel)
    {
        await using var image = await cluster.OpenAsync(spec, writable: true, cancel);
        await LockAsync(image, cancel);
        await cluster.RenameAsync(spec, newName, cancel);
    }

    /// <summary>Takes the lock of an image that nobody else has open; it is held until the image is closed.</summary>
    public static async Task LockAsync(IImage image, CancellationToken cancel)
    {
        await RefuseIfWatchedAsync(image, cancel);
        if (((await image.GetInfoAsync(cancel)).Layout.Features & ImageInfo.FeatureExclusiveLock) != 0)
        {
            await image.AcquireLockAsync(cancel);
            await RefuseIfWatchedAsync(image, cancel);
        }
    }

    /// <summary>Refuses where anybody but us has the image open.</summary>
    public static async Task RefuseIfWatchedAsync(IImage image, CancellationToken cancel)
    {
        var others = (await image.ListWatchersAsync(cancel)).Where(w => !w.Own).ToList();
        if (others.Count > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Busy, $"{image.Spec} is in use: {string.Join(", ", others.Select(w => w.Address))} has it open",
                "Stop the server, or detach the volume, then run the restore again.");
        }
    }
}
