using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Release;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup unprotect IMAGE… | --all</c>.</summary>
internal static class UnprotectCommand
{
    private static readonly Argument<string[]> Images = new("IMAGE") { Description = "Images, pool/name.", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<bool> All = new("--all") { Description = "Everything of ours in all clusters, with what restores put into the trash, and all records. Stop the workers first." };
    private static readonly Option<string[]> Pools = new("--pool") { Description = "With --all: another pool, or pool/namespace, beside those that the configuration names; may be given again." };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Says what there is, and removes nothing." };

    public static Command Create() =>
        new Command("unprotect", "Takes our snapshots and records off images, or everything of ours out of the clusters. The store keeps its points.") { Images, All, Pools, DryRun }.Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var (images, all, dryRun) = (context.Get(Images) ?? [], context.Get(All), context.Get(DryRun));
        if (all == images.Length > 0)
        {
            throw new RbdBackupException(ErrorKind.Usage, "unprotect needs images or --all, one of them", "'rbdbackup report' shows the images.");
        }

        var services = Services.Of(context);

        // What a restore left may only be removed by the user who may restore.
        await using var cluster = await (all ? services.ConnectToRestoreAsync(cancel) : services.ConnectAsync(cancel));
        await using var state = Services.OpenState(cluster);
        var runner = new UnprotectRunner(cluster, state, services.Naming);
        var things = new List<UnprotectedThing>();
        foreach (var image in images.Select(ImageSpec.Parse))
        {
            things.AddRange(await runner.RunAsync(image, dryRun, cancel));
        }

        if (all)
        {
            things.AddRange(await runner.RunAllAsync(PoolsOf(context.Settings, context.Get(Pools) ?? []), dryRun, cancel));
        }

        context.Output.Write(
            things.Select(t => new ThingDocument(t.Kind, t.On, StateOf(t, dryRun), t.Left)), DocumentJson.Shared.IEnumerableThingDocument,
            human => human.Table(["WHAT", "ON", "STATE", "WHY"], things.Select(t => (string[])[t.Kind, t.On, StateOf(t, dryRun), t.Left ?? ""])));
        if (things.Count(t => t.Left is not null) is > 0 and var left)
        {
            throw new RbdBackupException(ErrorKind.Partial, $"{left} of {things.Count} things of ours are still there", "The lines above say why.");
        }
    }

    private static string StateOf(UnprotectedThing thing, bool dryRun) => thing.Left is not null ? "left" : dryRun ? "there" : "removed";

    private static HashSet<(string Pool, string Namespace)> PoolsOf(RbdBackupSettings settings, string[] more) =>
    [
        .. settings.Pools.Servers.Concat(settings.Pools.Volumes).Select(p => (p, "")),
        .. settings.Policies.Values.SelectMany(p => p.Image).Select(ImageSpec.Parse).Select(i => (i.Pool, i.Namespace)),
        .. settings.Policies.Values.SelectMany(p => p.Pool).Concat(more).Select(p => p.Split('/') is [var pool, var ns] ? (pool, ns) : (p, "")),
    ];

    /// <summary>A thing of ours, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record ThingDocument(string Kind, string On, string State, string? Left);
}
