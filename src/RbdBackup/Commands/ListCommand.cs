using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Servers;
using RbdBackup.Core.Verify;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup list [IMAGE]</c> and <c>show POINT</c>.</summary>
internal static class ListCommand
{
    private static readonly Argument<string?> Image = new("IMAGE") { Description = "Only this image's points: pool/name, or pool for all of a pool.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string> Point = new("POINT") { Description = "The restore point's id, or a server point's." };

    public static Command Create() => new Command("list", "Lists restore points, oldest first, image by image.") { Image, ServerListCommand.Create() }.Runs(ListAsync);

    public static Command CreateShow() => new Command("show", "Shows all that is known of a restore point.") { Point }.Runs(ShowAsync);

    private static async Task ListAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel);
        var wanted = context.Get(Image);
        void Warn(RbdBackupException e) => context.Note($"warning: {e.Message}");
        var pins = await new PinStore(repository).ReadAsync(Warn, cancel);
        var verified = await VerifiedResults.ReadAsync(repository, null, cancel);
        var points = new Catalogue(repository).ReadAsync(Warn, cancel, key => wanted is null || IsOf(key.Disk, wanted))
            .Select(c => PointDocument.Of(c.Point, pins).With(verified.GetValueOrDefault(c.Point.Point)));
        await context.Output.WriteListAsync(points, DocumentJson.Shared.PointDocument, (human, all) => human.Table(
            ["ID", "IMAGE", "CREATED", "KIND", ">SIZE", ">STORED", "POLICY", "PINNED UNTIL", "VERIFIED"],
            all.Select(p => (string[])
            [
                p.Id, p.Image, Humanize.Time(p.Created), p.Kind, Humanize.Bytes(p.Size), Humanize.Bytes(p.StoredBytes), p.Policy ?? "",
                p.PinnedUntil is { } until ? PinCommand.Time(until) : "", p.Verified() ?? "",
            ])));
    }

    private static bool IsOf(string disk, string wanted) => Keys.ParseDisk(disk).Image is var image && (wanted == image.ToString() || wanted == image.Pool);

    private static async Task ShowAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel);
        var id = PointId.Parse(context.Get(Point));
        if (await new ServerPointStore(repository).FindAsync(id, cancel) is { } server)
        {
            await ServerListCommand.ShowAsync(context, repository, server, cancel);
            return;
        }

        var manifest = await repository.FindAsync(id, cancel);
        var chain = await repository.ReadChainAsync(manifest, cancel);
        var pin = (await new PinStore(repository).ReadAsync(e => context.Note($"warning: {e.Message}"), cancel, manifest.Point)).GetValueOrDefault(manifest.Point);
        var verified = (await VerifiedResults.ReadAsync(repository, manifest.Disk.Key, cancel)).GetValueOrDefault(manifest.Point);
        var document = new ShownDocument(
            manifest, pin is null ? null : PinCommand.Document(pin), [.. chain.Select(m => m.Point.ToString())], verified?.At, verified?.Kind, verified?.Ok);
        context.Output.Write(document, DocumentJson.Shared.ShownDocument, human => human.Fields(
            ("point", manifest.Point.ToString()), ("image", manifest.Disk.Spec.ToString()), ("image id", manifest.Disk.ImageId), ("volume", manifest.AskedBy.Volume),
            ("cluster", manifest.Disk.ClusterFsid), ("created", Humanize.Time(manifest.Created)), ("kind", PointDocument.Word(manifest.Kind)),
            ("because", manifest.Reason), ("stands on", chain.Count > 1 ? string.Join(" <- ", chain.Reverse().Skip(1).Select(m => m.Point)) : null),
            ("independent of", manifest.Independent ? manifest.Base?.Point.ToString() : null), ("snapshot", $"{manifest.Snapshot.Name} (id {manifest.Snapshot.Id})"), ("size", Humanize.Bytes(manifest.Size)),
            ("data", Humanize.Bytes(manifest.DataBytes)), ("zeros", Humanize.Bytes(manifest.ZeroBytes)), ("stored", Humanize.Bytes(manifest.StoredBytes)),
            ("segments", manifest.Segments.ToString()), ("codec", manifest.Codec), ("policy", manifest.Policy), ("server point", manifest.ServerPoint is { } of ? $"{of.Id} of {of.Server}" : null),
            ("asked by", string.Join(' ', new[] { manifest.AskedBy.Source.ToString(), manifest.AskedBy.Project, manifest.AskedBy.User }.OfType<string>())),
            ("pinned", pin is null ? null : $"until {PinCommand.Time(pin.Until!.Value)} by {pin.By}: {pin.Why}"), ("made by", manifest.Tool),
            ("verified", PointDocument.Of(manifest).With(verified).Verified())));
    }

    /// <summary>All that is known of a point, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record ShownDocument(
        Manifest Point, PinCommand.PinDocument? Pin, IReadOnlyList<string> Chain, DateTimeOffset? VerifiedAt, VerifyKind? VerifiedKind, bool? VerifiedOk);
}
