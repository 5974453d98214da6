using RbdBackup.Core.Model;

namespace RbdBackup.Core.Restore;

/// <summary>The next thing to do in a restore.</summary>
public enum RestoreStep
{
    /// <summary>Make the empty new image under its scratch name, instead of what a dead run may have left there.</summary>
    MakeScratch,

    /// <summary>Fill, verify, snapshot and bind it.</summary>
    Fill,

    /// <summary>Rename the old image aside.</summary>
    MoveOldAside,

    /// <summary>Rename the new image to the target's name.</summary>
    MoveNewIn,

    /// <summary>Move the old image to the trash.</summary>
    TrashOld,

    /// <summary>Nothing: the restore is done.</summary>
    Finish,

    /// <summary>Another image took the target's name in the middle.</summary>
    Conflict,

    /// <summary>Undo: rename the new image away from the target's name.</summary>
    MoveNewOut,

    /// <summary>Undo: take the old image out of the trash.</summary>
    RestoreOld,

    /// <summary>Undo: rename the old image back from its aside name.</summary>
    MoveOldBack,

    /// <summary>Undo: remove the new image, which never had the name, or move it to the trash.</summary>
    DropNew,

    /// <summary>Undo: the old image is in neither place.</summary>
    OldIsGone,
}

/// <summary>Where image ids are found now.</summary>
/// <param name="AtTarget">The image under the target's name; null: none.</param>
/// <param name="AtScratch">The image under the scratch name; null: none.</param>
/// <param name="AtAside">The image under the aside name; null: none.</param>
/// <param name="OldInTrash">True where the old image is in the trash.</param>
public sealed record RestoreSight(string? AtTarget, string? AtScratch, string? AtAside, bool OldInTrash);

/// <summary>Decides by image ids alone what comes next, so that a restore that was killed anywhere goes on. Pure.</summary>
public static class RestorePlanner
{
    /// <summary>What can be switched while an image lives.</summary>
    private const ulong Switched = ImageInfo.FeatureExclusiveLock | ImageInfo.FeatureObjectMap | ImageInfo.FeatureFastDiff | ImageInfo.FeatureJournaling;

    /// <summary>
    /// What the new image is made with: what the point's had, but the switches are those of the image that it takes the place of. Cinder takes them from a volume that several
    /// servers may write to, and an operator may have, since.
    /// </summary>
    /// <param name="point">The point's.</param>
    /// <param name="replaced">That image's; null where there is none.</param>
    public static ImageLayout LayoutOf(ImageLayout point, ImageLayout? replaced) =>
        replaced is null ? point : point with { Features = (point.Features & ~Switched) | (replaced.Features & Switched) };

    /// <summary>The next step towards the new image under the target's name.</summary>
    public static RestoreStep Next(RestoreJournal journal, RestoreSight sight)
    {
        if (journal.NewImageId is null)
        {
            return RestoreStep.MakeScratch;
        }

        if (sight.AtTarget == journal.NewImageId)
        {
            return journal.OldImageId is not null && sight.AtAside == journal.OldImageId ? RestoreStep.TrashOld : RestoreStep.Finish;
        }

        if (sight.AtScratch != journal.NewImageId)
        {
            return RestoreStep.MakeScratch;
        }

        return !journal.Filled ? RestoreStep.Fill
            : sight.AtTarget is null ? RestoreStep.MoveNewIn
            : sight.AtTarget == journal.OldImageId ? RestoreStep.MoveOldAside
            : RestoreStep.Conflict;
    }

    /// <summary>The next step towards the old image, or none, under the target's name.</summary>
    public static RestoreStep NextUndo(RestoreJournal journal, RestoreSight sight)
    {
        if (journal.NewImageId is not null && sight.AtTarget == journal.NewImageId)
        {
            return journal.OldImageId is not null && sight.AtAside != journal.OldImageId && !sight.OldInTrash ? RestoreStep.OldIsGone : RestoreStep.MoveNewOut;
        }

        if (journal.OldImageId is not null && sight.AtTarget is null)
        {
            return sight.AtAside == journal.OldImageId ? RestoreStep.MoveOldBack
                : sight.OldInTrash ? RestoreStep.RestoreOld
                : RestoreStep.OldIsGone;
        }

        if (journal.OldImageId is not null && sight.AtTarget != journal.OldImageId)
        {
            return RestoreStep.Conflict;
        }

        return sight.AtScratch is not null ? RestoreStep.DropNew : RestoreStep.Finish;
    }
}
