using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Servers;
using RbdBackup.Observe;
using RbdBackup.Servers;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup restore … --to-server</c> and <c>--to-new-server</c>.</summary>
internal static class ServerRestoreCommand
{
    private static readonly Option<string?> ToServer = new("--to-server") { Description = "Puts the point, or a server point's root disk, in place of this server's root disk: its id." };
    private static readonly Option<string?> ToNewServer = new("--to-new-server") { Description = "Makes a new server of this name of a server point, with all its disks." };
    private static readonly Option<string?> Flavor = new("--flavor") { Description = "The new server's flavor, by name or id. Without it, the one that it had." };
    private static readonly Option<string[]> Network = new("--network") { Description = "A network of the new server's, by id; may be repeated. Without it, those that it had." };
    private static readonly Option<string?> KeyName = new("--key-name") { Description = "The key that the new server is given. Without it none is: the restored disk has the old one." };

    /// <summary>Its options; the project is <see cref="RestoreAllCommand.Projects"/>.</summary>
    public static IEnumerable<Option> Options => [ToServer, ToNewServer, Flavor, Network, KeyName];

    /// <summary>True where one of them was given.</summary>
    public static bool IsAsked(CommandContext context) => context.Get(ToServer) is not null || context.Get(ToNewServer) is not null;

    /// <summary>Restores.</summary>
    public static Task RunAsync(CommandContext context, PointId point, bool loseSnapshots, CancellationToken cancel) =>
        (context.Get(ToServer), context.Get(ToNewServer)) switch
        {
            (not null, not null) => throw new RbdBackupException(ErrorKind.Usage, "--to-server and --to-new-server exclude each other", "Give one of them."),
            ({ } server, null) => ToServerAsync(context, point, server, loseSnapshots, cancel),
            (null, var name) => ToNewServerAsync(context, point, name!, cancel),
        };

    private static async Task ToServerAsync(CommandContext context, PointId id, string server, bool loseSnapshots, CancellationToken cancel)
    {
        await using var services = await ServerServices.OpenAsync(context, restore: true, null, cancel);
        var manifest = await RootAsync(context, services.Repository, id, cancel);
        await using var publisher = QueueFactory.OpenEvents(context.Settings, context.Loggers, context.Time);
        RestoreResult result = null!;
        await new JobEvents(publisher).RestoreAsync(
            manifest, null, null, async () => result = await services.Restores.ToServerAsync(manifest, server, loseSnapshots, context.Progress, cancel), server);
        context.Output.Write(
            new RootDocument(result.Point.ToString(), server, result.Image, result.ImageId, result.ReplacedImageId, result.WrittenBytes), DocumentJson.Shared.RootDocument,
            human => human.Fields(
                ("restored", result.Point.ToString()), ("server", server), ("image", result.Image), ("written", $"{Humanize.Bytes(result.WrittenBytes)}, each byte read again"),
                ("replaced", $"image {result.ReplacedImageId}, in the trash; stop the server, then 'rbdbackup restore --undo {result.Image}' brings it back")));
    }

    private static async Task<Manifest> RootAsync(CommandContext context, PointRepository repository, PointId id, CancellationToken cancel)
    {
        if (await new ServerPointStore(repository).FindAsync(id, cancel) is not { } point)
        {
            return await repository.FindAsync(id, cancel);
        }

        var root = point.Disks.FirstOrDefault(d => d.Role == DiskRole.Root) ?? throw new RbdBackupException(
            ErrorKind.Refused, $"server point {id} has no root disk of Nova's: the server booted from a volume", "Restore that volume's point, or give --to-new-server.");
        foreach (var other in point.Disks.Where(d => d != root))
        {
            context.Note($"note: {other.Image} is not touched; its point is {other.Point}");
        }

        return await repository.FindNewestAsync(root.Disk, root.Point, cancel)
            ?? throw new RbdBackupException(ErrorKind.NotFound, $"point {root.Point} of server point {id} is gone", "'rbdbackup list server' shows those that are whole.");
    }

    private static async Task ToNewServerAsync(CommandContext context, PointId id, string name, CancellationToken cancel)
    {
        ServerPoint point;
        await using (var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel))
        {
            point = await new ServerPointStore(repository).FindAsync(id, cancel)
                ?? throw new RbdBackupException(ErrorKind.NotFound, $"there is no server point {id}", "'rbdbackup list server --all' shows them; a point of one disk is restored with --to.");
        }

        await using var services = await ServerServices.OpenAsync(context, restore: true, context.Get(RestoreAllCommand.Projects)?.LastOrDefault() ?? point.Project, cancel);
        var ask = new NewServerAsk(name, context.Get(Flavor), context.Get(Network) ?? [], context.Get(KeyName));
        await using var publisher = QueueFactory.OpenEvents(context.Settings, context.Loggers, context.Time);
        var made = await new JobEvents(publisher).NewServerAsync(point, () => services.NewServers.RunAsync(point, ask, context.Progress, cancel));
        foreach (var skipped in point.Skipped)
        {
            context.Note($"note: {skipped.Image} was not in the point: {skipped.Why}");
        }

        context.Output.Write(
            new NewServerDocument(id.ToString(), made.Server, name, made.Volumes, made.FromImage), DocumentJson.Shared.NewServerDocument,
            human => human.Fields(
                ("restored", id.ToString()), ("server", $"{name} ({made.Server})"), ("boots from", made.FromImage ? "its own disk" : "a volume"),
                ("volumes", made.Volumes.Count > 0 ? string.Join(", ", made.Volumes) : null)));
    }

    /// <summary>A server's root disk, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record RootDocument(string Point, string Server, string Image, string ImageId, string? ReplacedImageId, long WrittenBytes);

    /// <summary>A new server.</summary>
    internal sealed record NewServerDocument(string ServerPoint, string Server, string Name, IReadOnlyList<string> Volumes, bool FromImage);
}
