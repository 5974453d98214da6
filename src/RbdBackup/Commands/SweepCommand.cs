using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Release;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup sweep</c>.</summary>
internal static class SweepCommand
{
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Says what would happen, and does nothing." };

    public static Command Create() =>
        new Command("sweep", "Takes our snapshots off what Nova and Cinder have deleted, and finds rebuilt servers that have their old disk. The worker does it all the time.") { DryRun }
            .Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        using var cloud = Cloud(context);
        await using var cluster = await services.ConnectAsync(cancel);
        await using var state = Services.OpenState(cluster);
        var dryRun = context.Get(DryRun);
        var result = await AllAsync(services.Sweeps(cluster, state, cloud), dryRun, cancel);
        foreach (var disk in result.OldDisks)
        {
            context.Note($"error: {disk}: its server was rebuilt and has its old disk. Rebuild it again");
        }

        foreach (var error in result.Errors)
        {
            context.Note($"error: {error.Message}. {error.Remedy}");
        }

        context.Output.Write(
            new SweptDocument(dryRun, [.. result.Steps.Select(Document)], [.. result.OldDisks.Select(d => d.ToString())], result.Errors.Count), DocumentJson.Shared.SweptDocument,
            human => human.Table(
                ["IMAGE", "PLACE", dryRun ? "WOULD BE" : "IS", "BECAUSE"],
                result.Steps.Select(Document).Select(d => (string[])[d.Image, d.Place, d.Action, d.Reason])));
        if (result.Errors.Count > 0 || result.OldDisks.Count > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Partial, $"{result.Errors.Count} images could not be looked at, {result.OldDisks.Count} rebuilt servers have their old disk", "The lines above say which.");
        }
    }

    /// <summary>Sweeps all clusters; of several, one that fails as a whole is an error among the others.</summary>
    private static async Task<SweepResult> AllAsync(IReadOnlyList<SweepRunner> sweeps, bool dryRun, CancellationToken cancel)
    {
        var results = new List<SweepResult>();
        foreach (var sweep in sweeps)
        {
            try
            {
                results.Add(await sweep.RunAsync(dryRun, cancel));
            }
            catch (RbdBackupException e) when (sweeps.Count > 1)
            {
                results.Add(new SweepResult([], [], [e]));
            }
        }

        return new SweepResult([.. results.SelectMany(r => r.Steps)], [.. results.SelectMany(r => r.OldDisks)], [.. results.SelectMany(r => r.Errors)]);
    }

    /// <summary>The cloud; null where nothing says how to log in.</summary>
    private static OpenStackCloud? Cloud(CommandContext context)
    {
        if (context.Settings.Keystone.AuthType is null)
        {
            context.Note("warning: nothing says how to log in to OpenStack ([keystone]): servers' disks are not looked at");
            return null;
        }

        return CloudAccess.Open(context.Settings);
    }

    private static SweepDocument Document(SweepStep step) => new(
        step.Image.ToString(), step.ImageId,
        step.Place switch { SweptPlace.Server => "server", SweptPlace.DeletedVolume => "deleted_volume", _ => "trash" },
        step.Action switch { SweepAction.Release => "released", SweepAction.Trash => "trashed", _ => "left_alone" },
        step.Reason);

    /// <summary>A sweep, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record SweptDocument(bool DryRun, IReadOnlyList<SweepDocument> Images, IReadOnlyList<string> OldDisks, int Failed);

    /// <summary>An image.</summary>
    internal sealed record SweepDocument(string Image, string ImageId, string Place, string Action, string Reason);
}
