using System.CommandLine;
using Microsoft.Extensions.Logging;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.Volumes;

namespace RbdBackup.Commands;

/// <summary>The forms of <c>rbdbackup restore</c> that restore into Cinder's volumes.</summary>
internal static class RestoreVolumeForms
{
    private static readonly Option<string?> ToVolume = new("--to-volume") { Description = "A Cinder volume's id: it is held, its image restored, and given free again." };
    private static readonly Option<bool> StopServer = new("--stop-server") { Description = "With --to-volume: servers that have the volume are locked and stopped meanwhile, and are then what they were." };
    private static readonly Option<bool> ToNewVolume = new("--to-new-volume") { Description = "Makes a Cinder volume for the point; its id is in the result." };
    private static readonly Option<string?> Name = new("--name") { Description = "The new volume's name." };
    private static readonly Option<string?> VolumeType = new("--type") { Description = "The new volume's type." };
    private static readonly Option<string?> Zone = new("--availability-zone") { Description = "The new volume's availability zone." };

    /// <summary>Their options.</summary>
    public static IReadOnlyList<Option> Options { get; } = [ToVolume, StopServer, ToNewVolume, Name, VolumeType, Zone];

    /// <summary>True where one of the forms is asked for.</summary>
    public static bool IsAsked(CommandContext context) => context.Get(ToVolume) is not null || context.Get(ToNewVolume);

    /// <summary>The volume that is asked for; null where none is, or it is made.</summary>
    public static string? VolumeOf(CommandContext context) => context.Get(ToVolume);

    /// <summary>Refuses options that say different things of where to restore to.</summary>
    /// <param name="context">The command.</param>
    /// <param name="image">True where an image is named, or said to be replaced.</param>
    public static void Check(CommandContext context, bool image)
    {
        bool[] forms = [image, context.Get(ToVolume) is not null, context.Get(ToNewVolume)];
        var forNew = context.Get(Name) ?? context.Get(VolumeType) ?? ProjectOf(context) ?? context.Get(Zone);
        if (forms.Count(f => f) > 1 || context.Get(RestoreAllCommand.Projects) is { Length: > 1 } || (forNew is not null && !context.Get(ToNewVolume)) || (context.Get(StopServer) && context.Get(ToNewVolume)))
        {
            throw new RbdBackupException(
                ErrorKind.Usage, "these options do not go together",
                "Give one of --to IMAGE (with --replace, --lose-snapshots), --to-volume ID (with --stop-server), --to-new-volume (with --name, --type, --project, --availability-zone).");
        }
    }

    /// <summary>Restores into a volume.</summary>
    public static async Task RunAsync(
        CommandContext context, IImageCluster cluster, IStateStore state, PointRepository repository, Manifest point, bool inPlace, CancellationToken cancel)
    {
        using var cloud = CloudAccess.Open(context.Settings, Log(context));
        if (context.Get(ToNewVolume))
        {
            await NewAsync(context, cloud, cluster, state, repository, point, cancel);
            return;
        }

        var ask = new VolumeAsk(point, Id(context.Get(ToVolume)!), inPlace, context.Get(StopServer));
        var result = await VolumeServices.Restore(context, cloud, cluster, state, repository).RunAsync(ask, context.Progress, cancel);
        context.Output.Write(
            new VolumeDocument(point.Point.ToString(), result.Volume, result.Image.ToString(), result.WrittenBytes, result.ReplacedImageId, result.Servers),
            DocumentJson.Shared.VolumeDocument,
            human => human.Fields(
                ("restored", point.Point.ToString()), ("volume", result.Volume), ("image", result.Image.ToString()),
                ("written", $"{Humanize.Bytes(result.WrittenBytes)}, each byte read again"), ("servers", result.Servers.Count > 0 ? string.Join(", ", result.Servers) : null),
                ("undo", $"rbdbackup restore --undo {result.Volume}")));
    }

    /// <summary>True where what is to be undone is a volume's restore: a volume's id, not an image.</summary>
    public static bool IsVolume(string undo) => Guid.TryParseExact(undo, "D", out _);

    /// <summary>Undoes the last restore into a volume, and gives back what a killed one holds.</summary>
    public static async Task UndoAsync(
        CommandContext context, IImageCluster cluster, IStateStore state, PointRepository repository, string volume, CancellationToken cancel)
    {
        using var cloud = CloudAccess.Open(context.Settings, Log(context));
        var (image, undone) = await VolumeServices.Restore(context, cloud, cluster, state, repository).UndoAsync(Id(volume), context.Get(StopServer), cancel);
        context.Output.Write(
            new UndoneVolumeDocument(volume, image.ToString(), undone?.ToString()), DocumentJson.Shared.UndoneVolumeDocument,
            human => human.Line(undone is null
                ? $"No restore into volume {volume} is known that could be undone; what an earlier one held is given back."
                : $"Volume {volume} is what it was before the restore of {undone}."));
    }

    private static async Task NewAsync(
        CommandContext context, OpenStackCloud cloud, IImageCluster cluster, IStateStore state, PointRepository repository, Manifest point, CancellationToken cancel)
    {
        using var scoped = ProjectOf(context) is { } project ? ScopedTo(context, project) : null;
        var source = await DiskSource.FindAsync(cloud, context.Settings.Pools, point, cancel);
        var ask = new NewVolumeAsk(point, context.Get(Name) ?? $"restored-{point.Point}", context.Get(VolumeType), context.Get(Zone), source);
        try
        {
            var (volume, written) = await VolumeServices.New(context, cloud, scoped ?? cloud, cluster, state, repository).RunAsync(ask, context.Progress, cancel);
            context.Output.Write(
                new NewVolumeDocument(point.Point.ToString(), volume.Id, volume.Name, volume.Size, volume.ProjectId, volume.Bootable, written), DocumentJson.Shared.NewVolumeDocument,
                human => human.Fields(
                    ("restored", point.Point.ToString()), ("volume", volume.Id), ("name", volume.Name), ("size", $"{volume.Size} GiB"),
                    ("written", $"{Humanize.Bytes(written)}, each byte read again")));
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Permission && scoped is not null)
        {
            throw new RbdBackupException(
                ErrorKind.Permission, $"a volume in project {ProjectOf(context)} can't be made: {e.Message}",
                $"A volume belongs to the project that its maker logged in to: 'openstack role add --project {ProjectOf(context)} --user {context.Settings.Keystone.Username} member'.", e);
        }
    }

    private static OpenStackCloud ScopedTo(CommandContext context, string project)
    {
        var keystone = context.Settings.Keystone;
        if (keystone.AuthType == "v3applicationcredential")
        {
            throw new RbdBackupException(ErrorKind.Usage, "an application credential is bound to its own project, so --project can't be another", "Give [keystone] a user and a password.");
        }

        var isId = project.Length == 32 && project.All(char.IsAsciiHexDigit);
        return CloudAccess.Open(
            context.Settings with { Keystone = keystone with { ProjectId = isId ? project : null, ProjectName = isId ? null : project } },
            Log(context));
    }

    private static string? ProjectOf(CommandContext context) => context.Get(RestoreAllCommand.Projects) is [var project, ..] ? project : null;

    private static ILogger Log(CommandContext context) => context.Loggers.CreateLogger("RbdBackup.OpenStack");

    private static string Id(string text) => Guid.TryParseExact(text, "D", out var id)
        ? id.ToString("D")
        : throw new RbdBackupException(ErrorKind.Usage, $"'{text}' is not a volume's id", "'openstack volume list' shows the ids.");

    /// <summary>A restore into a volume, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record VolumeDocument(string Point, string Volume, string Image, long WrittenBytes, string? ReplacedImageId, IReadOnlyList<string> Servers);

    /// <summary>A volume whose restore was undone.</summary>
    internal sealed record UndoneVolumeDocument(string Volume, string Image, string? UndonePoint);

    /// <summary>A new volume.</summary>
    internal sealed record NewVolumeDocument(string Point, string Volume, string? Name, long Size, string? Project, bool Bootable, long WrittenBytes);
}
