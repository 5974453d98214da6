using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Restore;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup restore POINT</c>, and <c>restore --undo IMAGE</c>.</summary>
internal static class RestoreCommand
{
    private static readonly Argument<string?> Point = new("POINT") { Description = "The restore point's id.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> To = new("--to") { Description = "The image to restore to: pool/name. Without it, the image that the point was made of." };
    private static readonly Option<bool> Replace = new("--replace") { Description = "Puts the point in the place of an image that exists; that one goes to the trash." };
    private static readonly Option<bool> LoseSnapshots = new("--lose-snapshots") { Description = "Replaces an image although it has snapshots of others; they go to the trash with it." };
    private static readonly Option<string?> Undo = new("--undo") { Description = "Brings back the image pool/name that the last restore replaced." };

    public static Command Create()
    {
        var command = new Command("restore", "Gives a restore point back as an image, or all images of the repository.") { Point, To, Replace, LoseSnapshots, Undo };
        foreach (var option in RestoreAllCommand.Options.Concat(ServerRestoreCommand.Options))
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

        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        await using var cluster = await services.ConnectToRestoreAsync(cancel);
        await using var state = services.OpenState(cluster);
        var runner = services.Restore(cluster, state, repository);
        if (undo is not null)
        {
            var journal = await runner.UndoAsync(ImageSpec.Parse(undo), cancel);
            context.Output.Write(
                new { Image = undo, ImageId = journal.OldImageId, UndonePoint = journal.Point.ToString() },
                human => human.Line(journal.OldImageId is null
                    ? $"{undo} is gone again: nothing had that name before the restore."
                    : $"{undo} is what it was before the restore of {journal.Point}; the restored image is in the trash."));
            return;
        }

        var manifest = await repository.FindAsync(PointId.Parse(point!), cancel);
        var target = context.Get(To) is { } to ? ImageSpec.Parse(to) : manifest.Disk.Spec;
        var result = await runner.RunAsync(
            new RestoreAsk(manifest, target, context.Get(Replace), context.Get(LoseSnapshots)), context.Progress, cancel);
        context.Output.Write(
            new { Point = result.Point.ToString(), result.Image, result.ImageId, result.ReplacedImageId, result.WrittenBytes },
            human => human.Fields(
                ("restored", result.Point.ToString()), ("image", result.Image), ("written", $"{Humanize.Bytes(result.WrittenBytes)}, each byte read again"),
                ("replaced", result.ReplacedImageId is { } old ? $"image {old}, in the trash; 'rbdbackup restore --undo {result.Image}' brings it back" : null)));
    }
}
