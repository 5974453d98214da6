using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Servers;
using RbdBackup.Servers;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup list server</c>, and <c>show</c> of a server point.</summary>
internal static class ServerListCommand
{
    private static readonly Argument<string?> Server = new("SERVER") { Description = "The server's id, or its name, now or when a point was taken.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Project = new("--project") { Description = "The servers of this project: its id." };
    private static readonly Option<bool> All = new("--all") { Description = "The servers of every project." };
    private static readonly Option<DateTimeOffset?> Since = new("--since") { Description = "Only points taken since this time." };
    private static readonly Option<DateTimeOffset?> Until = new("--until") { Description = "Only points taken up to this time." };

    public static Command Create() =>
        new Command("server", "Lists server points, oldest first, server by server.") { Server, Project, All, Since, Until }.Runs(ListAsync);

    private static async Task ListAsync(CommandContext context, CancellationToken cancel)
    {
        var (wanted, project) = (context.Get(Server), context.Get(Project));
        if (wanted is null && project is null && !context.Get(All))
        {
            throw new RbdBackupException(ErrorKind.Usage, "which servers? Give one, --project or --all", "'rbdbackup list server --all' shows all.");
        }

        await using var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel);
        var store = new ServerPointStore(repository);
        var present = await store.ReadPresentAsync(cancel);
        var servers = await IdsAsync(context, wanted, project, cancel);
        var (since, until) = (context.Get(Since) ?? DateTimeOffset.MinValue, context.Get(Until) ?? DateTimeOffset.MaxValue);
        var points = store.ReadAllAsync(servers is [var only] && Guid.TryParse(wanted, out _) ? only : null, e => context.Note($"warning: {e.Message}"), cancel)
            .Where(p => (wanted is null || p.Name == wanted || servers.Contains(p.Server)) && (project is null || p.Project == project) && p.Moment >= since && p.Moment <= until)
            .Select(p => ServerPointDocument.Of(p, p.Disks.All(d => present.Contains(d.Point))));
        await context.Output.WriteListAsync(points, DocumentJson.Shared.ServerPointDocument, (human, all) => human.Table(
            ["ID", "SERVER", "NAME", "TAKEN", "CONSISTENCY", ">DISKS", ">SPREAD", "WHOLE", "POLICY"],
            all.Select(p => (string[])
            [
                p.Id, p.Server, p.Name ?? "", Humanize.Time(p.Moment), ServerBackupCommand.Word(p.Consistency), $"{p.Disks.Count}", $"{p.SpreadMs} ms", p.Whole ? "yes" : "NO", p.Policy ?? "",
            ])));
    }

    /// <summary>The ids of the servers that Nova knows by that name; a server that is gone is found by what its points say.</summary>
    private static async Task<IReadOnlyList<string>> IdsAsync(CommandContext context, string? wanted, string? project, CancellationToken cancel)
    {
        if (wanted is null || Guid.TryParseExact(wanted, "D", out _) || context.Settings.Keystone.AuthType is null)
        {
            return wanted is null ? [] : [wanted];
        }

        try
        {
            using var cloud = CloudAccess.Open(context.Settings);
            return [(await ServerLookup.FindAsync(cloud, wanted, project, cancel)).Id];
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.NotFound or ErrorKind.Unavailable or ErrorKind.Permission)
        {
            return [];
        }
    }

    /// <summary>Shows a server point, with all that is kept of the server.</summary>
    public static async Task ShowAsync(CommandContext context, PointRepository repository, ServerPoint point, CancellationToken cancel)
    {
        var present = await new ServerPointStore(repository).ReadPresentAsync(cancel);
        var whole = point.Disks.All(d => present.Contains(d.Point));
        context.Output.Write(new ShownServerDocument(point, whole), DocumentJson.Shared.ShownServerDocument, human =>
        {
            var d = point.Description;
            ServerBackupCommand.Describe(human, point);
            human.Fields(
                ("whole", whole ? "yes" : "NO: points of it are gone"), ("flavor", d.Flavor?.Name), ("image", d.ImageName ?? d.ImageId), ("key", d.KeyName),
                ("networks", d.Ports.Count > 0 ? string.Join(", ", d.Ports.Select(p => $"{p.Network} {string.Join(' ', p.FixedIps)}")) : null),
                ("security groups", d.SecurityGroups.Count > 0 ? string.Join(", ", d.SecurityGroups) : null), ("zone", d.AvailabilityZone),
                ("metadata", d.Metadata.Count > 0 ? string.Join(", ", d.Metadata.Select(m => $"{m.Key}={m.Value}")) : null), ("host", d.Host), ("made by", point.Tool));
        });
    }

    /// <summary>A server point as it is stored, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record ShownServerDocument(ServerPoint ServerPoint, bool Whole);
}
