using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Compact;
using RbdBackup.Core.Model;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup compact</c>.</summary>
internal static class CompactCommand
{
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Says what would happen, and does nothing." };
    private static readonly Option<int?> MinLive = new("--min-live") { Description = "Writes again segments of which less than this is shown, in percent; instead of [rotation] compact_below." };

    public static Command Create() =>
        new Command("compact", "Writes again what points still show of data that pruned points left, so that 'gc' can take the rest.") { MinLive, DryRun }.Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var percent = context.Get(MinLive);
        if (percent is < 1 or > 100)
        {
            throw new RbdBackupException(ErrorKind.Usage, $"--min-live is {percent}", "Give a percentage from 1 to 100.");
        }

        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        var dryRun = context.Get(DryRun);
        var (groups, failed) = (new List<CompactDocument>(), 0);
        await foreach (var result in services.Compact(repository, percent).RunAsync(dryRun, e => context.Note($"warning: {e.Message}"), context.Progress, cancel))
        {
            groups.Add(Document(result));
            if (result.Error is { } error)
            {
                context.Note($"error: {string.Join(", ", result.Disks)}: {error.Message}. {error.Remedy}");
                failed++;
            }
        }

        context.Output.Write(new CompactedDocument(dryRun, groups), DocumentJson.Shared.CompactedDocument, human => human.Table(
            ["IMAGES", ">POINTS", ">SEGMENTS", ">MOVED", dryRun ? ">WOULD FREE" : ">GC FREES"],
            groups.Select(g => (string[])[
                string.Join(", ", g.Images), $"{g.Points.Count}", $"{g.Segments}", Humanize.Bytes(g.MovedBytes), Humanize.Bytes(g.FreedBytes)])));
        if (failed > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Partial, $"{failed} of {groups.Count} groups of images were not compacted", "The lines above say why; their points are as they were.");
        }
    }

    private static CompactDocument Document(CompactResult result) => new(
        [.. result.Disks.Select(d => d.ToString())], [.. result.Points.Select(p => p.Point.ToString())], result.Plan.Segments.Count, result.Plan.Indexes.Count,
        result.Plan.MovedBytes, result.Plan.FreedBytes, result.StoredBytes, result.Error?.Message);

    /// <summary>What was written again, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record CompactedDocument(bool DryRun, IReadOnlyList<CompactDocument> Groups);

    /// <summary>Images whose points share data.</summary>
    internal sealed record CompactDocument(
        IReadOnlyList<string> Images, IReadOnlyList<string> Points, int Segments, int Indexes, long MovedBytes, long FreedBytes, long StoredBytes, string? Error);
}
