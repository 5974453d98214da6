using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup repo init | check | info</c>.</summary>
internal static class RepoCommand
{
    private static readonly Option<bool> Repair = new("--repair") { Description = "Puts right what can be without losing anything." };

    public static Command Create() => new("repo", "The repository as a whole.")
    {
        new Command("init", "Makes a repository in an empty store, and tries out what the store does.").Runs(InitAsync),
        new Command("check", "Tries out what the store does, and checks the repository's structure.") { Repair }.Runs(CheckAsync),
        new Command("info", "What the repository holds.").Runs(InfoAsync),
    };

    private static async Task InitAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var store = services.OpenStore(null);
        await store.CheckAsync(cancel);
        var existed = await store.ListAsync(Keys.HeaderPrefix, cancel).AnyAsync(cancel);
        var probes = await new StoreProber(store, context.Time).RunAsync(cancel);
        RequireUsable(context, probes, store.Url);
        await using var repository = await services.OpenRepositoryAsync(create: true, cancel);
        context.Output.Write(
            new InitDocument(repository.Header.Id, repository.Store.Url, repository.Header.Created, existed, probes), DocumentJson.Shared.InitDocument,
            human =>
            {
                human.Line($"{(existed ? "there is already a" : "made")} repository {repository.Header.Id} in {repository.Store.Url}");
                Describe(human, probes);
            });
    }

    private static async Task CheckAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel);
        var probes = await new StoreProber(repository.Store, context.Time).RunAsync(cancel);
        var report = await new RepositoryCheck(repository).RunAsync(context.Get(Repair), context.Progress, cancel);
        context.Output.Write(
            new CheckDocument(
                repository.Header.Id, repository.Store.Url, probes, report.Points, report.Disks, report.ServerPoints, report.Superseded, report.Objects, report.StoredBytes,
                report.ReferredBytes, report.Orphans, report.OrphanBytes, report.FindingCount, report.Findings, report.Mended),
            DocumentJson.Shared.CheckDocument,
            human =>
            {
                Describe(human, probes);
                human.Line("");
                Describe(human, report);
                foreach (var mended in report.Mended)
                {
                    human.Line($"mended: {mended.Where} {mended.What}");
                }

                foreach (var finding in report.Findings)
                {
                    human.Line($"damaged: {finding.Where} {finding.What}");
                }
            });
        RequireUsable(context, probes, repository.Store.Url);
        if (report.FindingCount > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt, $"the repository has {report.FindingCount} findings",
                "'repo check --repair' writes lost references again; 'copy' from another site brings lost objects back; 'verify' says which points are touched, and a new full ('backup --full') needs none of them.");
        }
    }

    private static async Task InfoAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel);
        var last = new Dictionary<string, Manifest>();
        await foreach (var manifest in new Catalogue(repository).ReadAsync(null, cancel).Select(c => c.Point))
        {
            last[manifest.Disk.Key] = last.TryGetValue(manifest.Disk.Key, out var known) && known.Created > manifest.Created ? known : manifest;
        }

        var report = await new RepositoryCheck(repository).RunAsync(false, context.Progress, cancel);
        var header = repository.Header;
        context.Output.Write(
            new InfoDocument(
                header.Id, repository.Store.Url, header.Created, header.Format, header.RequiredFeatures, report.Points, report.Disks, report.Objects, report.StoredBytes,
                report.ReferredBytes, report.OrphanBytes,
                [.. last.Values.OrderBy(m => m.Disk.Key, StringComparer.Ordinal).Select(m => new LastPoint(m.Disk.Spec.ToString(), m.Point.ToString(), m.Created))]),
            DocumentJson.Shared.InfoDocument,
            human =>
            {
                human.Fields(
                    ("repository", header.Id.ToString()), ("in", repository.Store.Url), ("created", Humanize.Time(header.Created)),
                    ("format", $"{header.Format}{string.Concat(header.RequiredFeatures.Select(f => $" {f}"))}"));
                Describe(human, report);
                human.Line("");
                human.Table(["IMAGE", "LAST POINT", "CREATED"], last.Values.OrderBy(m => m.Disk.Key, StringComparer.Ordinal)
                    .Select(m => (string[])[m.Disk.Spec.ToString(), m.Point.ToString(), Humanize.Time(m.Created)]));
            });
    }

    private static void Describe(HumanOutput human, RepositoryReport report) => human.Fields(
        ("points", $"{report.Points} of {report.Disks} disks"), ("objects", $"{report.Objects}, {Humanize.Bytes(report.StoredBytes)}"),
        ("referred to", Humanize.Bytes(report.ReferredBytes)), ("not referred to", $"{report.Orphans} objects, {Humanize.Bytes(report.OrphanBytes)}: gc's, or of jobs that run"),
        ("older revisions", report.Superseded.ToString()));

    private static void Describe(HumanOutput human, IReadOnlyList<ProbeResult> probes) =>
        human.Table(["PROBE", "RESULT", "DETAIL"], probes.Select(p => (string[])[p.Probe, p.Outcome.ToString().ToLowerInvariant(), p.Detail]));

    private static void RequireUsable(CommandContext context, IReadOnlyList<ProbeResult> probes, string url)
    {
        foreach (var probe in probes.Where(p => p.Outcome == ProbeOutcome.Warning))
        {
            context.Note($"warning: {probe.Probe}: {probe.Detail}");
        }

        if (probes.FirstOrDefault(p => p.Outcome == ProbeOutcome.Bad) is { } bad)
        {
            throw new RbdBackupException(ErrorKind.Unsupported, $"{url} can't hold a repository: {bad.Detail}", "Use another store, or ask who runs it.");
        }
    }

    /// <summary>A new repository, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record InitDocument(Guid Id, string Url, DateTimeOffset Created, bool Existed, IReadOnlyList<ProbeResult> Probes);

    /// <summary>A check of the repository.</summary>
    internal sealed record CheckDocument(
        Guid Id, string Url, IReadOnlyList<ProbeResult> Probes, long Points, int Disks, long ServerPoints, long Superseded, long Objects, long StoredBytes, long ReferredBytes,
        long Orphans, long OrphanBytes, long FindingCount, IReadOnlyList<Finding> Findings, IReadOnlyList<Mended> Mended);

    /// <summary>What a repository holds.</summary>
    internal sealed record InfoDocument(
        Guid Id, string Url, DateTimeOffset Created, int Format, IReadOnlyList<string> RequiredFeatures, long Points, int Disks, long Objects, long StoredBytes, long ReferredBytes,
        long GarbageBytes, IReadOnlyList<LastPoint> LastPoints);

    /// <summary>A disk's last point.</summary>
    internal sealed record LastPoint(string Image, string Id, DateTimeOffset Created);
}
