using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup prune POINT…</c> and <c>consolidate POINT…</c>.</summary>
internal static class PruneCommand
{
    private static readonly Argument<string[]> Points = new("POINT") { Description = "The restore points' ids.", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Says what would happen, and does nothing." };
    private static readonly Option<bool> Force = new("--force") { Description = "Removes the last good point of a disk too." };
    private static readonly Option<bool> NoConsolidate = new("--no-consolidate") { Description = "Refuses where other points stand on one, instead of making these independent." };

    public static Command Create() =>
        new Command("prune", "Removes points, in any order; what stands on them is made independent first. Their data goes with 'gc'.")
        {
            Points, DryRun, Force, NoConsolidate,
        }.Runs(PruneAsync);

    public static Command CreateConsolidate() =>
        new Command("consolidate", "Makes points independent of those that they stand on, by a new index. No data moves.") { Points }.Runs(ConsolidateAsync);

    private static async Task PruneAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel);
        var dryRun = context.Get(DryRun);
        var ask = new PruneAsk([.. context.Get(Points)!.Select(PointId.Parse)], context.Get(Force), !context.Get(NoConsolidate), dryRun);
        var plan = await Services.Prune(repository).RunAsync(ask, e => context.Note($"warning: {e.Message}"), context.Progress, cancel);
        var refused = plan.Refusals.ToLookup(r => r.Point.Point, r => r.Why);
        var points = plan.Drops.Select(p => Document(p, refused[p.Point].Any() ? "refuse" : "drop", refused[p.Point]))
            .Concat(plan.Consolidate.Select(p => Document(p, "consolidate", [$"{p.Needs!.Point} goes"]))).ToList();
        context.Output.Write(new PrunedDocument(dryRun, points), DocumentJson.Shared.PrunedDocument, human => human.Table(
            ["ID", "IMAGE", "CREATED", "KIND", dryRun ? "WOULD" : "DONE", "BECAUSE"],
            points.Select(p => (string[])[p.Id, p.Image, Humanize.Time(p.Created), p.Kind, dryRun ? p.Action : Past(p.Action), string.Join("; ", p.Reasons)])));
    }

    private static string Past(string action) => action == "drop" ? "dropped" : "consolidated";

    private static PruneDocument Document(Core.Repository.Manifest point, string action, IEnumerable<string> reasons) =>
        new(point.Point.ToString(), point.Disk.Spec.ToString(), point.Created, PointDocument.Word(point.Kind), action, [.. reasons]);

    private static async Task ConsolidateAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel);
        var consolidator = Services.Consolidate(repository);
        var done = new List<ConsolidateDocument>();
        foreach (var id in context.Get(Points)!.Select(PointId.Parse))
        {
            var result = await consolidator.ConsolidateAsync(await repository.FindAsync(id, cancel), context.Progress, cancel);
            done.Add(new ConsolidateDocument(id.ToString(), result.Point.Disk.Spec.ToString(), result.Point.Revision, result.IndexBytes > 0, result.IndexBytes));
        }

        context.Output.Write(done, DocumentJson.Shared.IEnumerableConsolidateDocument, human => human.Table(
            ["ID", "IMAGE", ">REVISION", ">INDEX"],
            done.Select(d => (string[])[d.Id, d.Image, d.Revision.ToString(), d.Changed ? Humanize.Bytes(d.IndexBytes) : "it needs no other point"])));
    }

    /// <summary>What was pruned, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record PrunedDocument(bool DryRun, IReadOnlyList<PruneDocument> Points);

    /// <summary>A point of it.</summary>
    internal sealed record PruneDocument(string Id, string Image, DateTimeOffset Created, string Kind, string Action, IReadOnlyList<string> Reasons);

    /// <summary>A point that needs no other.</summary>
    internal sealed record ConsolidateDocument(string Id, string Image, int Revision, bool Changed, long IndexBytes);
}
