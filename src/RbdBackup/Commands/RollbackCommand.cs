using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Observe;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup rollback IMAGE --to POINT</c>.</summary>
internal static class RollbackCommand
{
    private static readonly Argument<string> Image = new("IMAGE") { Description = "The image, pool/name." };
    private static readonly Option<string> To = new("--to") { Description = "The restore point. Where its snapshot is gone from the image, what differs is written (restore --in-place).", Required = true };

    public static Command Create() =>
        new Command("rollback", "Makes an image what it was at a point; what was written since is lost.") { Image, To }.Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var (spec, point) = (ImageSpec.Parse(context.Get(Image)), PointId.Parse(context.Get(To)!));
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        await using var cluster = await services.ConnectToRestoreAsync(cancel);
        await using var state = Services.OpenState(cluster);
        var manifest = await repository.FindAsync(point, cancel);
        await using var publisher = QueueFactory.OpenEvents(context.Settings, context.Loggers, context.Time);
        await new JobEvents(publisher).RestoreAsync(manifest, null, null, () => RollAsync(context, services, cluster, state, repository, manifest, spec, cancel));
    }

    private static async Task RollAsync(
        CommandContext context, Services services, IImageCluster cluster, IStateStore state, PointRepository repository, Manifest manifest, ImageSpec spec, CancellationToken cancel)
    {
        var point = manifest.Point;
        try
        {
            await new RollbackRunner(cluster, state).RunAsync(spec, manifest, cancel);
            context.Output.Write(
                new RolledDocument(spec.ToString(), point.ToString(), manifest.Snapshot.Id, InPlace: false, null), DocumentJson.Shared.RolledDocument,
                human => human.Line($"{spec} is what it was at point {point}."));
        }
        catch (RbdBackupException gone) when (gone.Kind == ErrorKind.NotFound && manifest.Disk.Spec == spec)
        {
            context.Note($"{gone.Message}: what differs is written into the image.");
            var result = await services.RestoreInPlace(cluster, state, repository).RunAsync(new InPlaceAsk(manifest, spec), context.Progress, cancel);
            context.Output.Write(
                new RolledDocument(spec.ToString(), point.ToString(), null, InPlace: true, result.WrittenBytes), DocumentJson.Shared.RolledDocument,
                human => human.Line($"{spec} is what it was at point {point}: {Humanize.Bytes(result.WrittenBytes)} differed. 'rbdbackup restore --undo {spec}' takes it back."));
        }
    }

    /// <summary>An image that was rolled back, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record RolledDocument(string Image, string Point, ulong? SnapshotId, bool InPlace, long? WrittenBytes);
}
