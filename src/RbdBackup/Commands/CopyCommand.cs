using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Copy;
using RbdBackup.Core.Model;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup copy --to STORE POINT… | --all | --image IMAGE</c>.</summary>
internal static class CopyCommand
{
    private static readonly Argument<string[]> Points = new("POINT") { Description = "The restore points' ids.", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<bool> All = new("--all") { Description = "Every point of the repository." };
    private static readonly Option<string?> Image = new("--image") { Description = "Every point of an image, pool/name." };
    private static readonly Option<string?> To = new("--to") { Description = "The other store's URL." };
    private static readonly Option<string?> ToConfig = new("--to-config") { Description = "The other site's configuration file: its store's endpoint and keys; without --to, its [store] url too." };
    private static readonly Option<DateTimeOffset?> Since = new("--since") { Description = "Only points made since this time." };

    public static Command Create() =>
        new Command("copy", "Copies points, with what they stand on, into another store; only what that lacks.") { Points, All, Image, To, ToConfig, Since }.Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var chosen = PointChoice.Of(context, Points, All, Image);
        if (context.Get(To) is null && context.Get(ToConfig) is null)
        {
            throw new RbdBackupException(ErrorKind.Usage, "copy needs the other store", "Give --to URL, --to-config FILE, or both.");
        }

        var services = Services.Of(context);
        await using var source = await services.OpenRepositoryAsync(create: false, cancel);
        var other = context.Get(ToConfig) is { } file ? services.With(CommandContext.LoadOther(file, context.Get(To))) : services;
        await using var store = other.OpenStore(context.Get(To));
        if (store.Url == source.Store.Url)
        {
            throw new RbdBackupException(ErrorKind.Usage, $"{store.Url} is the store itself", "Give another one.");
        }

        var secret = ReferenceEquals(other, services) ? null : await other.ReadSecretAsync(cancel);
        var target = await CopyRunner.OpenTargetAsync(source, store, secret, context.Time, cancel);
        var runner = services.Copy(source, target);
        NoteKeys(context, store.Url, await runner.PrepareAsync(context.Progress, cancel));
        var (results, unreadable) = (new List<CopyResult>(), new List<string>());
        await foreach (var (point, _) in chosen.ReadAsync(source, e => PointChoice.Damaged(context, unreadable, e), cancel))
        {
            if (context.Get(Since) is not { } since || point.Created >= since)
            {
                results.Add(await runner.RunAsync(point, context.Progress, cancel));
                if (results[^1].Why is { } why)
                {
                    context.Note($"error: point {point.Point} of {point.Disk.Spec}: {why}");
                }
            }
        }

        var servers = await runner.CopyServersAsync(e => PointChoice.Damaged(context, unreadable, e), cancel);
        context.Output.Write(
            new CopiedDocument(
                store.Url, servers, results.Sum(r => r.Objects), results.Sum(r => r.Bytes), unreadable,
                [.. results.Select(r => new CopyDocument(r.Point.Point.ToString(), r.Point.Disk.Spec.ToString(), r.State, r.Objects, r.Bytes, r.Why))]),
            DocumentJson.Shared.CopiedDocument,
            human => human.Table(
                ["ID", "IMAGE", "RESULT", ">OBJECTS", ">COPIED", "WHY"],
                results.Select(r => (string[])
                [
                    r.Point.Point.ToString(), r.Point.Disk.Spec.ToString(), r.State.ToString().ToLowerInvariant(), r.Objects.ToString(), Humanize.Bytes(r.Bytes), r.Why ?? "",
                ])));
        Judge(results, unreadable);
    }

    private static void NoteKeys(CommandContext context, string url, CopyKeys keys)
    {
        if (keys.Own)
        {
            context.Note($"note: the master key of {url} was rotated there, so its key slots are its own: those of this repository are not brought any more");
        }

        foreach (var lost in keys.Lost)
        {
            context.Note($"warning: key slot {lost.Slot} ({lost.Label}) of {url} went, as the master key was rotated here and it has no slot of the new one; 'key add' adds one");
        }
    }

    private static void Judge(List<CopyResult> results, List<string> unreadable)
    {
        var (damaged, failed) = (results.Count(r => r.State == CopyState.Damaged) + unreadable.Count, results.Count(r => r.State == CopyState.Failed));
        if (damaged + failed > 0)
        {
            throw new RbdBackupException(
                damaged > 0 ? ErrorKind.Corrupt : ErrorKind.Partial, $"{damaged} of {results.Count} points are damaged and {failed} failed; they were not copied",
                damaged > 0 ? "The lines above say why; 'verify --data' says what is damaged. All others were copied." : "The lines above say why; run it again, it goes on where it stopped.");
        }
    }

    /// <summary>What was copied, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record CopiedDocument(string To, int ServerPoints, long Objects, long Bytes, IReadOnlyList<string> UnreadableManifests, IReadOnlyList<CopyDocument> Points);

    /// <summary>A point.</summary>
    internal sealed record CopyDocument(string Id, string Image, CopyState State, long Objects, long Bytes, string? Why);
}
