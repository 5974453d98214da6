using System.CommandLine;
using System.Text.Json;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

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
        var (disks, errors) = (0, new List<(string Image, RbdBackupException Error)>());
        var points = services.Rotate(repository).RunAsync(context.Get(DryRun), e => context.Note($"warning: {e.Message}"), context.Progress, cancel).SelectMany(disk =>
        {
            var image = Keys.ParseDisk(disk.Disk).Image.ToString();
            disks++;
            if (disk.Error is { } error)
            {
                context.Note($"error: {image}: {error.Message}. {error.Remedy}");
                errors.Add((image, error));
            }

            return disk.Plan.Verdicts.Select(v => Verdict(image, disk, v));
        });
        await context.Output.WriteListAsync(
            points,
            DocumentJson.Shared.VerdictDocument,
            (human, all) => human.Table(
                ["ID", "IMAGE", "CREATED", "KIND", "VERDICT", "BECAUSE"],
                all.Select(p => (string[])[p.Id, p.Image, Humanize.Time(p.Created), p.Kind, Word(p, context.Get(DryRun)), string.Join("; ", p.Reasons)])),
            json =>
            {
                json.WriteStartObject();
                json.WriteBoolean("dry_run", context.Get(DryRun));
                json.WritePropertyName("points");
            },
            json =>
            {
                json.WritePropertyName("errors");
                JsonSerializer.Serialize(
                    json, errors.Select(e => new FailureDocument(e.Image, e.Error.Kind, e.Error.Message, e.Error.Remedy)), DocumentJson.Shared.IEnumerableFailureDocument);
                json.WriteEndObject();
            });
        if (errors.Count > 0)
        {
            throw new RbdBackupException(ErrorKind.Partial, $"{errors.Count} of {disks} disks were not rotated", "The lines above say why; run it again when that is settled.");
        }
    }

    private static VerdictDocument Verdict(string image, DiskRotation disk, RotationVerdict v) => new(
        v.Point.Point.ToString(), image, v.Point.Created, PointDocument.Word(v.Point.Kind), v.Keep, disk.Plan.Consolidate.Contains(v.Point.Point), v.Reasons,
        disk.Policies, disk.Error is not null);

    private static string Word(VerdictDocument point, bool dryRun) => point switch
    {
        { Keep: true, Consolidate: true } => "keep alone",
        { Keep: true } => "keep",
        { Failed: true } => "failed",
        _ => dryRun ? "would drop" : "dropped",
    };

    /// <summary>A verdict in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record VerdictDocument(
        string Id, string Image, DateTimeOffset Created, string Kind, bool Keep, bool Consolidate, IReadOnlyList<string> Reasons, IReadOnlyList<string> Policies,
        bool Failed);

    private static async Task CollectAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        var result = await services.Collect(repository).RunAsync(context.Get(DryRun), context.Progress, cancel);
        context.Output.Write(
            new CollectedDocument(context.Get(DryRun), result.Candidates, result.Deleted, result.DeletedBytes), DocumentJson.Shared.CollectedDocument,
            human => human.Line($"{result.Deleted} objects deleted ({Humanize.Bytes(result.DeletedBytes)}), {result.Candidates} new ones written down for a run after the grace."));
    }

    /// <summary>A disk that was not rotated.</summary>
    internal sealed record FailureDocument(string Image, ErrorKind Kind, string Message, string? Remedy);

    /// <summary>What a collection deleted, and wrote down.</summary>
    internal sealed record CollectedDocument(bool DryRun, long Candidates, long Deleted, long DeletedBytes);
}
