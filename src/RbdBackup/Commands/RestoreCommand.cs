using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Observe;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup restore POINT</c>, and <c>restore --undo IMAGE</c>.</summary>
internal static class RestoreCommand
{
    private static readonly Argument<string?> Point = new("POINT") { Description = "The restore point's id.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> To = new("--to") { Description = "The image to restore to: pool/name. Without it, the image that the point was made of." };
    private static readonly Option<bool> Replace = new("--replace") { Description = "Puts the point in the place of an image that exists; that one goes to the trash." };
    private static readonly Option<bool> LoseSnapshots = new("--lose-snapshots") { Description = "Replaces an image although it has snapshots of others; they go to the trash with it." };
    private static readonly Option<bool> InPlace = new("--in-place") { Description = "Writes what differs into the image that is there, whose snapshots live on; what it was stays as a snapshot of ours until its next backup." };
    private static readonly Option<string?> Undo = new("--undo") { Description = "Brings back what the last restore replaced or overwrote: of the image pool/name, or of the Cinder volume with this id." };

    public static Command Create()
    {
        var command = new Command("restore", "Gives a restore point back as an image, a volume or a server, or all images of the repository.")
        {
            Point, To, Replace, LoseSnapshots, InPlace, Undo,
        };
        foreach (var option in RestoreVolumeForms.Options.Concat(ServerRestoreCommand.Options).Concat(RestoreAllCommand.Options))
        {
            command.Add(option);
        }

        return command.Runs(RunAsync);
    }

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var (point, undo) = (context.Get(Point), context.Get(Undo));
        if (new[] { point is not null, undo is not null, context.Get(RestoreAllCommand.All) }.Count(given => given) != 1)
        {
            throw new RbdBackupException(ErrorKind.Usage, "restore needs a POINT, --undo IMAGE or --all, one of them", "'rbdbackup list' shows the points.");
        }

        if (context.Get(RestoreAllCommand.All))
        {
            await RestoreAllCommand.RunAsync(context, context.Get(Replace), cancel);
            return;
        }

        if (point is not null && ServerRestoreCommand.IsAsked(context))
        {
            await ServerRestoreCommand.RunAsync(context, PointId.Parse(point), context.Get(LoseSnapshots), cancel);
            return;
        }

        RestoreVolumeForms.Check(context, image: context.Get(To) is not null || context.Get(Replace) || context.Get(LoseSnapshots));
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        await using var cluster = await services.ConnectToRestoreAsync(cancel);
        await using var state = Services.OpenState(cluster);
        if (undo is not null && RestoreVolumeForms.IsVolume(undo))
        {
            await RestoreVolumeForms.UndoAsync(context, cluster, state, repository, undo, cancel);
            return;
        }

        if (undo is not null)
        {
            await UndoAsync(context, ImageSpec.Parse(undo), services.Restore(cluster, state, repository), services.RestoreInPlace(cluster, state, repository), cancel);
            return;
        }

        var manifest = await repository.FindAsync(PointId.Parse(point!), cancel);
        await using var publisher = QueueFactory.OpenEvents(context.Settings, context.Loggers, context.Time);
        await new JobEvents(publisher).RestoreAsync(
            manifest, RestoreVolumeForms.VolumeOf(context), null, () => RestoreAsync(context, services, cluster, state, repository, manifest, cancel));
    }

    private static async Task RestoreAsync(
        CommandContext context, Services services, IImageCluster cluster, IStateStore state, PointRepository repository, Manifest manifest, CancellationToken cancel)
    {
        if (RestoreVolumeForms.IsAsked(context))
        {
            await RestoreVolumeForms.RunAsync(context, cluster, state, repository, manifest, context.Get(InPlace), cancel);
            return;
        }

        var target = context.Get(To) is { } to ? ImageSpec.Parse(to) : manifest.Disk.Spec;
        if (context.Get(InPlace))
        {
            var written = await services.RestoreInPlace(cluster, state, repository).RunAsync(new InPlaceAsk(manifest, target), context.Progress, cancel);
            context.Output.Write(
                new WrittenDocument(written.Point.ToString(), written.Image, written.ImageId, written.WrittenBytes, written.Snapshot), DocumentJson.Shared.WrittenDocument,
                human => human.Fields(
                    ("restored", written.Point.ToString()), ("image", written.Image), ("written", $"{Humanize.Bytes(written.WrittenBytes)} that differed, each byte read again"),
                    ("before", written.Snapshot is { } before ? $"snapshot {before}, until the next backup; 'rbdbackup restore --undo {written.Image}' goes back to it" : null)));
            return;
        }

        var result = await services.Restore(cluster, state, repository).RunAsync(
            new RestoreAsk(manifest, target, context.Get(Replace), context.Get(LoseSnapshots)), context.Progress, cancel);
        context.Output.Write(
            new RestoredDocument(result.Point.ToString(), result.Image, result.ImageId, result.ReplacedImageId, result.WrittenBytes), DocumentJson.Shared.RestoredDocument,
            human => human.Fields(
                ("restored", result.Point.ToString()), ("image", result.Image), ("written", $"{Humanize.Bytes(result.WrittenBytes)}, each byte read again"),
                ("replaced", result.ReplacedImageId is { } old ? $"image {old}, in the trash; 'rbdbackup restore --undo {result.Image}' brings it back" : null)));
    }

    /// <summary>What was last done to the image that has the name now was done in place, if anything was.</summary>
    private static async Task UndoAsync(CommandContext context, ImageSpec image, RestoreRunner runner, InPlaceRunner inPlace, CancellationToken cancel)
    {
        if (await inPlace.UndoAsync(image, unfinishedOnly: false, cancel) is { } written)
        {
            context.Output.Write(
                new UndoneDocument(image.ToString(), null, written.Point.ToString()), DocumentJson.Shared.UndoneDocument,
                human => human.Line($"{image} is what it was before point {written.Point} was written into it."));
            return;
        }

        var journal = await runner.UndoAsync(image, cancel);
        context.Output.Write(
            new UndoneDocument(image.ToString(), journal.OldImageId, journal.Point.ToString()), DocumentJson.Shared.UndoneDocument,
            human => human.Line(journal.OldImageId is null
                ? $"{image} is gone again: nothing had that name before the restore."
                : $"{image} is what it was before the restore of {journal.Point}; the restored image is in the trash."));
    }

    /// <summary>A restore in place, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record WrittenDocument(string Point, string Image, string ImageId, long WrittenBytes, string? Snapshot);

    /// <summary>A restore.</summary>
    internal sealed record RestoredDocument(string Point, string Image, string ImageId, string? ReplacedImageId, long WrittenBytes);

    /// <summary>An undone restore.</summary>
    internal sealed record UndoneDocument(string Image, string? ImageId, string UndonePoint);
}
