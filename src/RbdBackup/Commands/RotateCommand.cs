using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup rotate</c> and <c>gc</c>.</summary>
internal static class RotateCommand
{
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Says what would happen, and does nothing." };

    public static Command Create() =>
        new Command("rotate", "Drops points that their policy no longer keeps. Their data goes with 'gc'.") { DryRun }.Runs(RotateAsync);

    public static Command CreateCollect() =>
        new Command("gc", "Deletes data that no point refers to: written down in one run, deleted by a run after the grace.") { DryRun }.Runs(CollectAsync);

    private static async Task RotateAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        var verdicts = await services.Rotate(repository).RunAsync(
            context.Get(DryRun), e => context.Note($"warning: {e.Message}"), context.Progress, cancel);
        var points = verdicts.Select(v => new
        {
            Id = v.Point.Point.ToString(),
            Image = v.Point.Disk.Spec.ToString(),
            v.Point.Created,
            Kind = PointDocument.Word(v.Point.Kind),
            v.Keep,
            v.Reasons,
        }).ToList();
        context.Output.Write(new { DryRun = context.Get(DryRun), Points = points }, human => human.Table(
            ["ID", "IMAGE", "CREATED", "KIND", "VERDICT", "BECAUSE"],
            points.Select(p => (string[])[p.Id, p.Image, Humanize.Time(p.Created), p.Kind, p.Keep ? "keep" : context.Get(DryRun) ? "would drop" : "dropped", string.Join("; ", p.Reasons)])));
    }

    private static async Task CollectAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        var result = await services.Collect(repository).RunAsync(context.Get(DryRun), context.Progress, cancel);
        context.Output.Write(
            new { DryRun = context.Get(DryRun), result.Candidates, result.Deleted, result.DeletedBytes },
            human => human.Line($"{result.Deleted} objects deleted ({Humanize.Bytes(result.DeletedBytes)}), {result.Candidates} new ones written down for a run after the grace."));
    }
}
