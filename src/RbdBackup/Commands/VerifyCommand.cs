using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Verify;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup verify POINT… | --all | --image IMAGE</c>.</summary>
internal static class VerifyCommand
{
    private static readonly Argument<string[]> Points = new("POINT") { Description = "The restore points' ids.", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<bool> All = new("--all") { Description = "Every point of the repository." };
    private static readonly Option<string?> Image = new("--image") { Description = "Every point of an image, pool/name." };
    private static readonly Option<bool> Quick = new("--quick") { Description = "All objects are there, with the right sizes. The default." };
    private static readonly Option<bool> Data = new("--data") { Description = "Fetches and proves every byte that a restore reads." };
    private static readonly Option<bool> Source = new("--source") { Description = "Compares with the point's snapshot in the cluster, where that is still there." };
    private static readonly Option<bool> Restore = new("--restore") { Description = "Restores into a scratch image, compares, removes it." };
    private static readonly Option<double?> Sample = new("--sample") { Description = "With --source: compares only this share of the image, in percent; another one each day." };
    private static readonly Option<string?> Scratch = new("--scratch") { Description = "With --restore: the pool, or pool/namespace, for the scratch image. Without it, the image's own." };

    public static Command Create() =>
        new Command("verify", "Verifies restore points: their objects, their data, against the cluster, or by restoring them.")
        {
            Points, All, Image, Quick, Data, Source, Restore, Sample, Scratch,
        }.Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var (chosen, ask, services) = (PointChoice.Of(context, Points, All, Image), Ask(context), Services.Of(context));
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        await using var cluster = ask.Kind switch
        {
            VerifyKind.Source => await services.ConnectAsync(cancel),
            VerifyKind.Restore => await services.ConnectToRestoreAsync(cancel),
            _ => null,
        };
        await using var state = cluster is null ? null : Services.OpenState(cluster);
        var runner = services.Verify(repository, cluster, state);
        if (ask.Kind == VerifyKind.Restore)
        {
            await runner.SweepAsync(e => context.Note($"warning: a scratch image of an earlier run could not be removed yet: {e.Message}"), cancel);
        }

        var (verdicts, unreadable) = (new List<VerifyDocument>(), new List<string>());
        await foreach (var (point, known) in chosen.ReadAsync(repository, e => PointChoice.Damaged(context, unreadable, e), cancel))
        {
            var verdict = await runner.RunAsync(point, known, ask, context.Progress, cancel);
            verdicts.Add(VerifyDocument.Of(verdict, ask.Kind));
            foreach (var finding in verdict.Findings)
            {
                context.Note($"damaged: point {point.Point} of {point.Disk.Spec}: {finding.Where} {finding.What}");
            }
        }

        Write(context, ask, verdicts, unreadable);
        Judge(chosen.Named, verdicts, unreadable);
    }

    private static VerifyAsk Ask(CommandContext context)
    {
        var kinds = new[] { (Quick, VerifyKind.Quick), (Data, VerifyKind.Data), (Source, VerifyKind.Source), (Restore, VerifyKind.Restore) }
            .Where(k => context.Get(k.Item1)).Select(k => k.Item2).ToList();
        var kind = kinds.Count > 0 ? kinds[0] : VerifyKind.Quick;
        var (sample, scratch) = (context.Get(Sample), context.Get(Scratch));
        Require(kinds.Count <= 1, "verify does one thing at a time", "Give one of --quick, --data, --source and --restore.");
        Require(sample is null || kind == VerifyKind.Source, "--sample goes with --source", "Leave it out, or add --source.");
        Require(sample is null or (> 0 and <= 100), $"--sample is a share in percent, not {sample}", "Give more than 0, at most 100.");
        Require(scratch is null || kind == VerifyKind.Restore, "--scratch goes with --restore", "Leave it out, or add --restore.");
        var place = scratch?.Split('/');
        Require(place is null or [{ Length: > 0 }] or [{ Length: > 0 }, { Length: > 0 }], $"'{scratch}' is no pool", "Give pool, or pool/namespace.");
        return new VerifyAsk(kind, sample ?? 100, place is null ? null : (place[0], place.Length > 1 ? place[1] : ""));
    }

    private static void Require(bool good, string what, string remedy)
    {
        if (!good)
        {
            throw new RbdBackupException(ErrorKind.Usage, what, remedy);
        }
    }

    private static void Write(CommandContext context, VerifyAsk ask, List<VerifyDocument> verdicts, List<string> unreadable)
    {
        int Count(VerifyState state) => verdicts.Count(v => v.State == state);
        context.Output.Write(
            new VerifiedDocument(
                ask.Kind, ask.Kind == VerifyKind.Source ? ask.SamplePercent : null, Count(VerifyState.Ok), Count(VerifyState.Damaged), Count(VerifyState.Skipped),
                Count(VerifyState.Failed), unreadable, verdicts),
            DocumentJson.Shared.VerifiedDocument,
            human => human.Table(
                ["ID", "IMAGE", "RESULT", ">LOOKED AT", ">TIME", "WHY"],
                verdicts.Select(v => (string[])
                [
                    v.Id, v.Image, v.State.ToString().ToLowerInvariant(), v.Bytes > 0 ? Humanize.Bytes(v.Bytes) : "", Humanize.Duration(TimeSpan.FromSeconds(v.Seconds)),
                    v.Why ?? (v.FindingCount > 0 ? $"{v.FindingCount} findings" : ""),
                ])));
    }

    private static void Judge(bool named, List<VerifyDocument> verdicts, List<string> unreadable)
    {
        var damaged = verdicts.Count(v => v.State == VerifyState.Damaged);
        if (damaged + unreadable.Count > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt, $"{damaged} of {verdicts.Count} points are damaged, {unreadable.Count} manifests can't be read",
                "The lines above say what and where. A new full backup ('backup image … --full') does not need what is damaged; 'copy' from another site brings lost objects back.");
        }

        if (verdicts.Where(v => v.State == VerifyState.Failed).ToList() is { Count: > 0 } failed)
        {
            throw new RbdBackupException(
                ErrorKind.Partial, $"{failed.Count} of {verdicts.Count} points could not be verified: {failed[0].Why}", "Nothing is known of them. Run it again.");
        }

        if (named && verdicts.TrueForAll(v => v.State == VerifyState.Skipped))
        {
            throw new RbdBackupException(
                ErrorKind.NotFound, $"nothing could be verified: {verdicts.Select(v => v.Why).FirstOrDefault()}", "'verify --data' and 'verify --restore' need no snapshot.");
        }
    }

    /// <summary>What a run found, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record VerifiedDocument(
        VerifyKind Kind, double? SamplePercent, int Ok, int Damaged, int Skipped, int Failed, IReadOnlyList<string> UnreadableManifests, IReadOnlyList<VerifyDocument> Points);

    /// <summary>What it found of one point.</summary>
    internal sealed record VerifyDocument(
        string Id, string Image, VerifyKind Kind, VerifyState State, long FindingCount, IReadOnlyList<Finding> Findings, string? Why, long Bytes, double Seconds)
    {
        public static VerifyDocument Of(VerifyVerdict v, VerifyKind kind) => new(
            v.Point.Point.ToString(), v.Point.Disk.Spec.ToString(), kind, v.State, v.FindingCount, v.Findings, v.Why, v.Bytes, v.Seconds);
    }
}
