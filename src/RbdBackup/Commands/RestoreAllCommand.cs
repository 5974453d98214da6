using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Restore;
using RbdBackup.Observe;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup restore --all</c>: the day when the cluster is gone.</summary>
internal static class RestoreAllCommand
{
    /// <summary>What makes a restore one of everything.</summary>
    public static readonly Option<bool> All = new("--all") { Description = "Every image of which there is a point, each under its old name. What is there already is left alone: run it again and it goes on." };
    private static readonly Option<DateTimeOffset?> At = new("--at") { Description = "With --all: as at this time (2026-11-25T02:00Z); without it, as at now." };
    private static readonly Option<DateTimeOffset?> Since = new("--since") { Description = "With --all: only images of which there is a point since this time; so disks that were deleted long before stay away." };
    private static readonly Option<string[]> Pools = new("--pool") { Description = "With --all: only images of this pool; may be given again." };
    /// <summary>Of which projects; another form of restore has a project too.</summary>
    public static readonly Option<string[]> Projects = new("--project")
    {
        Description = "With --all: only disks of this OpenStack project's id; may be given again. With --to-new-volume: whose the volume is, by id, or by name "
            + "in our own project's domain; our user needs a role there. With --to-new-server: its project, by id or name; without it, the one that it was in.",
    };

    private static readonly Option<bool> MissingOnly = new("--missing-only") { Description = "With --all: only what is missing. It is what --all does; the other is --replace." };
    private static readonly Option<string[]> Priorities = new("--priority") { Description = "With --all: what comes first (policy:NAME, project:ID, pool:NAME, image:POOL/NAME); may be given again, the most important first." };
    private static readonly Option<int> AtATime = new("--at-a-time") { Description = "With --all: how many images at a time.", DefaultValueFactory = _ => 4 };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "With --all: only shows what would be done." };

    /// <summary>Its options, beside those of any restore.</summary>
    public static IEnumerable<Option> Options => [All, At, Since, Pools, Projects, MissingOnly, Priorities, AtATime, DryRun];

    /// <summary>Runs it.</summary>
    public static async Task RunAsync(CommandContext context, bool replace, CancellationToken cancel)
    {
        if (replace && context.Get(MissingOnly))
        {
            throw new RbdBackupException(ErrorKind.Usage, "--replace and --missing-only say the opposite", "Give one of them.");
        }

        if (context.Get(AtATime) is < 1 or > 64)
        {
            throw new RbdBackupException(ErrorKind.Usage, $"--at-a-time is {context.Get(AtATime)}", "Give 1 to 64.");
        }

        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        await using var cluster = await services.ConnectToRestoreAsync(cancel);
        await using var state = Services.OpenState(cluster);
        await using var publisher = QueueFactory.OpenEvents(context.Settings, context.Loggers, context.Time);
        var events = new JobEvents(publisher);
        var runner = new RestoreAllRunner(
            cluster, repository, services.Restore(cluster, state, repository), context.Get(AtATime), context.Time, (point, work) => events.RestoreAsync(point, null, null, work));
        var ask = new RestoreAllAsk(context.Get(At) ?? context.Time.GetUtcNow())
        {
            Since = context.Get(Since),
            Pools = context.Get(Pools) ?? [],
            Projects = context.Get(Projects) ?? [],
            Priorities = [.. (context.Get(Priorities) ?? []).Select(Priority.Parse)],
            Replace = replace,
        };
        var unreadable = new List<string>();
        var plan = await runner.PlanAsync(ask, e => PointChoice.Damaged(context, unreadable, e), cancel);
        var results = context.Get(DryRun)
            ? plan.Select(i => new RestoredItem(i, null, null)).ToList()
            : await RestoreAsync(context, runner.RunAsync(plan, replace, context.Progress, cancel));
        context.Output.Write(
            results.Select(r => new ItemDocument(
                r.Item.Image.ToString(), StateOf(r), r.Item.Point?.Point.ToString(), r.Item.Point?.Created, r.Item.Size, r.Result?.ImageId, r.Error?.Message)),
            DocumentJson.Shared.IEnumerableItemDocument,
            human => human.Table(
                ["IMAGE", "RESULT", "POINT", "AS AT", ">SIZE", "WHY"],
                results.Select(r => (string[])
                [
                    r.Item.Image.ToString(), StateOf(r).Replace('_', ' '), r.Item.Point?.Point.ToString() ?? "", r.Item.Point is { } p ? Humanize.Time(p.Created) : "",
                    Humanize.Bytes(r.Item.Size), r.Error?.Message ?? "",
                ])));
        Judge(results, unreadable);
    }

    private static async Task<List<RestoredItem>> RestoreAsync(CommandContext context, IAsyncEnumerable<RestoredItem> running)
    {
        var results = new List<RestoredItem>();
        await foreach (var result in running)
        {
            results.Add(result);
            if (result.Error is { } error)
            {
                context.Note($"error: {result.Item.Image}: {error.Message}. {error.Remedy}");
            }
        }

        return results;
    }

    private static string StateOf(RestoredItem item) => item switch
    {
        { Error: not null } => "failed",
        { Result: not null } => "restored",
        { Item.Verdict: RestoreVerdict.Restore } => "to_restore",
        { Item.Verdict: RestoreVerdict.Exists } => "exists",
        _ => "no_point",
    };

    private static void Judge(List<RestoredItem> results, List<string> unreadable)
    {
        var (failed, lacking) = (results.Count(r => r.Error is not null), results.Count(r => r.Item.Verdict == RestoreVerdict.NoPoint));
        if (failed + lacking + unreadable.Count > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Partial, $"of {results.Count} images {failed} failed, and {lacking} have no point that is old enough and can be read; {unreadable.Count} manifests are damaged",
                "The lines above say why. All others are there; run it again, it goes on with what is missing.");
        }
    }

    /// <summary>An image, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record ItemDocument(string Image, string State, string? Point, DateTimeOffset? Created, long Size, string? ImageId, string? Error);
}
