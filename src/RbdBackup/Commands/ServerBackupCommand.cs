using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;
using RbdBackup.Observe;
using RbdBackup.Servers;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup backup server</c>.</summary>
internal static class ServerBackupCommand
{
    private static readonly Argument<string> Server = new("SERVER") { Description = "The server's id, or its name." };
    private static readonly Option<string?> Consistency = new("--consistency")
    {
        Description = "crash: snapshots as near to each other as can be. paused: the guest is paused meanwhile. frozen: its file systems are frozen by the QEMU agent. Without it, the policy's, else crash.",
    };

    private static readonly Option<string?> Project = new("--project") { Description = "The project whose servers count, where a name is given: its id." };

    static ServerBackupCommand() => Consistency.AcceptOnlyFromAmong("crash", "paused", "frozen");

    /// <summary>The command, with the options that all kinds of backup have, and what backs up one image.</summary>
    public static Command Create(Option<bool> full, Option<string?> policy, Option<bool> queue, Func<CommandContext, string, CancellationToken, Task> oneAsync) =>
        new Command("server", "Backs up a server: a point of all its disks at one moment; where [keystone] is not set, its root disk only.") { Server, full, policy, queue, Consistency, Project }
            .Runs((context, cancel) => context.Settings.Keystone.AuthType is null
                ? RootAsync(context, oneAsync, cancel)
                : RunAsync(context, context.Get(full), context.Get(policy), context.Get(queue), cancel));

    private static async Task RootAsync(CommandContext context, Func<CommandContext, string, CancellationToken, Task> oneAsync, CancellationToken cancel)
    {
        if (context.Get(Consistency) is { } said)
        {
            throw new RbdBackupException(ErrorKind.Usage, $"--consistency {said} needs to know the server, and nothing says how to log in to OpenStack", "Set [keystone], or leave it out for the root disk alone.");
        }

        context.Note("note: nothing says how to log in to OpenStack ([keystone]), so this is the root disk only");
        await oneAsync(context, (await ImageNames.ServerAsync(context, context.Get(Server), cancel)).ToString(), cancel);
    }

    private static async Task RunAsync(CommandContext context, bool full, string? policy, bool queue, CancellationToken cancel)
    {
        if (queue)
        {
            throw new RbdBackupException(ErrorKind.Usage, "workers do not take requests for a whole server", "Leave --queue out; or ask for its disks: 'backup image … --queue'.");
        }

        PolicyNames.RequireKnown(context.Settings, policy);
        await using var services = await ServerServices.OpenAsync(context, restore: false, null, cancel);
        var backups = services.Backups;
        var wanted = backups.ConsistencyOf(context.Get(Consistency), policy);
        var server = await ServerLookup.FindAsync(services.Cloud, context.Get(Server), context.Get(Project), cancel);
        await using var publisher = QueueFactory.OpenEvents(context.Settings, context.Loggers, context.Time);
        var point = await new JobEvents(publisher).ServerBackupAsync(server.Id, policy, null, () => backups.RunAsync(
            server, wanted, full, policy, Services.Of(context).CycleDaysOf(policy), new AskedBy(AskedSource.Cli, User: Environment.UserName), context.Progress, cancel));
        if (point.WhyNot is { } why)
        {
            context.Note($"warning: the point is {Word(point.Consistency)}, not {Word(wanted)}: {why}");
        }

        context.Output.Write(ServerPointDocument.Of(point, whole: true), DocumentJson.Shared.ServerPointDocument, human => Describe(human, point));
    }

    /// <summary>A server point for people.</summary>
    public static void Describe(HumanOutput human, ServerPoint p)
    {
        human.Fields(
            ("server point", p.Id.ToString()), ("server", $"{p.Name} ({p.Server})"), ("project", p.Project), ("taken", Humanize.Time(p.Moment)),
            ("consistency", Word(p.Consistency)), ("not " + Word(p.Asked ?? p.Consistency), p.WhyNot), ("snapshots within", $"{p.SpreadMs} ms"),
            ("guest held for", p.HeldMs is { } held ? $"{held} ms" : null), ("policy", p.Policy));
        human.Table(
            ["POINT", "DISK", "DEVICE", "IMAGE", ">SIZE"],
            p.Disks.Select(d => (string[])[d.Point.ToString(), d.Role.ToString().ToLowerInvariant(), d.Device ?? "", d.Image, Humanize.Bytes(d.Size)]));
        foreach (var skipped in p.Skipped)
        {
            human.Line($"left out: {skipped.Image}: {skipped.Why}");
        }
    }

    /// <summary>A consistency as the options name it.</summary>
    public static string Word(Consistency consistency) => consistency.ToString().ToLowerInvariant();
}
