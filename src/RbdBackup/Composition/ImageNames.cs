using RbdBackup.Cli;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.Servers;

namespace RbdBackup.Composition;

/// <summary>The images of what OpenStack calls by an id: <c>vms/ID_disk</c> of a server, <c>volumes/volume-ID</c> of a volume, in the cluster that has them.</summary>
internal static class ImageNames
{
    /// <summary>A server's root disk.</summary>
    public static async Task<ImageSpec> ServerAsync(CommandContext context, string id, CancellationToken cancel)
    {
        var server = Uuid("server", id);
        var pools = context.Settings.Pools.Servers;
        if (pools is [var only])
        {
            return new ImageSpec(only, $"{server}_disk");
        }

        await using var clusters = await Services.Of(context).ConnectAsync(cancel);
        return new ImageSpec(await new DiskSearch(clusters, pools).OfAsync(server, cancel), $"{server}_disk");
    }

    /// <summary>
    /// A volume: by what Cinder says of it, where it can be asked, since a migration gives its image another name; else by its own name, which is looked for where the volumes
    /// are in several pools.
    /// </summary>
    /// <returns>The image, and the volume's id where Cinder knows it.</returns>
    public static async Task<(ImageSpec Image, string? Volume)> VolumeAsync(CommandContext context, string id, CancellationToken cancel)
    {
        var (volume, pools) = (Uuid("volume", id), context.Settings.Pools);
        if (context.Settings.Keystone.AuthType is not null)
        {
            try
            {
                using var cloud = CloudAccess.Open(context.Settings);
                Volume known = await cloud.BlockStorage.GetVolumeAsync(volume, cancel);
                return (new ImageSpec(pools.OfVolume(known.Host ?? ""), $"volume-{known.NameId ?? known.Id}"), known.Id);
            }
            catch (RbdBackupException e) when (pools.Volumes.Count == 1)
            {
                context.Note($"note: Cinder does not say which image the volume has, so it is the one of its name: {e.Message}");
            }
        }

        if (pools.Volumes is [var only])
        {
            return (new ImageSpec(only, $"volume-{volume}"), null);
        }

        await using var clusters = await Services.Of(context).ConnectAsync(cancel);
        return (new ImageSpec(await new DiskSearch(clusters, pools.Volumes).OfAsync($"volume {volume}", [$"volume-{volume}"], cancel), $"volume-{volume}"), null);
    }

    private static string Uuid(string what, string id) =>
        Guid.TryParseExact(id, "D", out var uuid)
            ? uuid.ToString("D")
            : throw new RbdBackupException(ErrorKind.Usage, $"'{id}' is not the id of a {what}", $"'openstack {what} list' shows the ids; an image is given as 'image pool/name'.");
}
