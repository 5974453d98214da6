using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.Report;
using RbdBackup.Servers;
using RbdBackup.Worker;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup report</c>.</summary>
internal static class ReportCommand
{
    private static readonly Option<string[]> Projects = new("--project") { Description = "Only this OpenStack project's id; may be given again." };
    private static readonly Option<bool> Unprotected = new("--unprotected") { Description = "Only disks that are there and have no point, or no policy." };
    private static readonly Option<bool> Csv = new("--csv") { Description = "As CSV (RFC 4180), with a line of names." };

    public static Command Create() =>
        new Command("report", "Says of every disk whether it is protected, and why not; how old its last good point is, when one was last verified and restored.")
        { Projects, Unprotected, Csv }.Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        await using var cluster = await services.ConnectAsync(cancel);
        await using var state = Services.OpenState(cluster);
        using var cloud = Cloud(context);
        var stored = await StoredReader.ReadAsync(repository, e => PointChoice.Damaged(context, [], e), cancel);
        var reader = new PresentReader(context.Settings, cluster, new Members(state));
        var present = await reader.ReadAsync(cloud, cloud is null ? null : new ServerPools(context.Settings, cloud.Compute, context.Loggers.CreateLogger<ServerPools>(), context.Time), cancel);
        var (projects, now) = (context.Get(Projects) ?? [], context.Time.GetUtcNow());
        var lines = ReportPlanner.Plan(present, reader.Scheduled, stored, reader.Silent.Keys)
            .Where(l => projects.Length == 0 || projects.Contains(l.Disk.Project))
            .Where(l => !context.Get(Unprotected) || l.State is ReportState.Unprotected or ReportState.Waiting).ToList();
        context.Output.Write(lines.Select(l => Document(l, now)), DocumentJson.Shared.IEnumerableReportDocument, human =>
        {
            if (context.Get(Csv))
            {
                WriteCsv(human, lines.Select(l => Document(l, now)));
                return;
            }

            human.Table(
                ["PROJECT", "IMAGE", "NAME", "STATE", "POLICY", ">POINTS", ">AGE", "VERIFIED", "RESTORED", "WHY"],
                lines.Select(l => (string[])
                [
                    l.Disk.Project ?? "", l.Disk.Image.ToString(), l.Disk.Name ?? "", Word(l.State), l.Policy ?? "", l.Stored.Points.ToString(CultureInfo.InvariantCulture),
                    l.Stored.LastAt is { } at ? Humanize.Duration(now - at) : "", $"{(l.Stored.Damaged ? "DAMAGED " : "")}{Day(l.Stored.VerifiedAt)}", Day(l.Stored.RestoredAt), l.Reason ?? "",
                ]));
            human.Line("");
            foreach (var project in lines.GroupBy(l => l.Disk.Project))
            {
                human.Line($"{project.Key ?? "(no project known)"}: {string.Join(", ", project.GroupBy(l => l.State).OrderBy(s => s.Key).Select(s => $"{s.Count()} {Word(s.Key)}"))}");
            }
        });
        if (reader.Silent.Count > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Partial, $"{reader.Silent.Count} of the clusters could not be asked: {string.Join("; ", reader.Silent.Values.Select(e => e.Message))}", "All else is above.");
        }
    }

    private static OpenStackCloud? Cloud(CommandContext context)
    {
        if (context.Settings.Keystone.AuthType is not null)
        {
            return CloudAccess.Open(context.Settings);
        }

        context.Note("warning: nothing says how to log in to OpenStack ([keystone]): servers and volumes are known by their images' names alone");
        return null;
    }

    private static ReportDocument Document(ReportLine l, DateTimeOffset now) => new(
        l.Disk.Image.ToString(), l.Disk.Kind, l.Disk.Id, l.Disk.Name, l.Disk.Project, Word(l.State), l.Policy, l.Reason, l.Stored.Points, l.Stored.StoredBytes,
        l.Stored.Last?.ToString(), l.Stored.LastAt, l.Stored.LastAt is { } at ? (long)(now - at).TotalSeconds : null, l.Stored.VerifiedAt, l.Stored.RestoredAt, l.Stored.Damaged);

    private static void WriteCsv(HumanOutput output, IEnumerable<ReportDocument> rows)
    {
        var columns = typeof(ReportDocument).GetProperties();
        output.Line(string.Join(',', columns.Select(c => JsonNamingPolicy.SnakeCaseLower.ConvertName(c.Name))));
        foreach (var row in rows)
        {
            output.Line(string.Join(',', columns.Select(c => Cell(c.GetValue(row)))));
        }
    }

    private static string Cell(object? value)
    {
        var text = value is DateTimeOffset at ? at.ToString("O", CultureInfo.InvariantCulture) : value is bool b ? (b ? "true" : "false") : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

        // What a tenant wrote must not become a formula in somebody's spreadsheet.
        text = text is ['=' or '+' or '-' or '@' or '\t', ..] ? $"'{text}" : text;
        return text.AsSpan().ContainsAny(",\"\r\n") ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
    }

    private static string Word(ReportState state) => state.ToString().ToLowerInvariant();

    private static string Day(DateTimeOffset? at) => at is { } t ? Humanize.Time(t) : "never";

    /// <summary>A disk, in <c>--json</c> and <c>--csv</c>; docs/commands.md promises these names.</summary>
    internal sealed record ReportDocument(
        string Image, string Kind, string? Id, string? Name, string? Project, string State, string? Policy, string? Reason, int Points, long StoredBytes, string? LastPoint,
        DateTimeOffset? LastAt, long? AgeSeconds, DateTimeOffset? VerifiedAt, DateTimeOffset? RestoredAt, bool Damaged);
}
