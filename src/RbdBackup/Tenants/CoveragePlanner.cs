using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Servers;

namespace RbdBackup.Tenants;

/// <summary>
/// Says which images are protected, by which policy, and which are not and why, from what Nova and Cinder say. Pure. A volume's own word comes before its
/// server's; a server's word counts for volumes of its own project only, and only where Nova itself says that it has them.
/// </summary>
internal sealed class CoveragePlanner(MeaningOptions words, IReadOnlyDictionary<string, PolicySettings> policies, DiskPools pools)
{
    private static readonly string[] Settled = ["ACTIVE", "PAUSED", "SUSPENDED", "SHUTOFF"];
    private static readonly string[] OnTheirWay = ["creating", "downloading", "managing", "deleting", "error_deleting"];

    /// <summary>The policy in a server's or a volume's metadata.</summary>
    public PolicyChoice ChoiceOf(IReadOnlyDictionary<string, string>? metadata) => PolicyChoice.Of(metadata?.GetValueOrDefault(words.PolicyKey), policies);

    /// <summary>The disks that Nova itself has of a server, in the order of their names.</summary>
    /// <param name="server">The server; known, and there.</param>
    /// <param name="images">The images in the pools of Nova's disks that begin with its id. What is not there is no disk: a server that boots from a volume has none.</param>
    public IReadOnlyList<Disk> OfServer(Server server, IEnumerable<ImageSpec> images)
    {
        var policy = ChoiceOf(server.Metadata).Active;
        return [.. images.OrderBy(i => i.Name, StringComparer.Ordinal).Select(image =>
        {
            var disk = new Disk(
                DiskKind.Server, server.Id, server.Id, server.ProjectId, image, policy is null ? Fate.Unasked : Fate.Protected)
            { Policy = policy, ByServer = policy is not null };
            return image.Name[server.Id.Length..] switch
            {
                "_disk" or "_disk.local" => disk,
                var s when s.StartsWith("_disk.eph", StringComparison.Ordinal) => disk,
                "_disk.swap" => disk.Without("swap: Nova makes it anew"),
                "_disk.config" => disk.Without("the config drive: Nova makes it anew"),
                var s when s.EndsWith(".rescue", StringComparison.Ordinal) => disk.Without("of a rescue: Nova makes it anew"),
                _ => disk.Without("no disk by Nova's names"),
            };
        })];
    }

    /// <summary>
    /// The root disk of a server that has one, as Nova says, and not where its disks are looked for; null where it is there. What Nova is still making has none yet, what it is
    /// at work on may have none just now, and what boots from a volume never has.
    /// </summary>
    /// <param name="server">The server; known, and there.</param>
    /// <param name="images">As for <see cref="OfServer"/>.</param>
    /// <param name="place">Where they were looked for.</param>
    public static Disk? MissingOf(Server server, IEnumerable<ImageSpec> images, ServerPlace place)
    {
        var root = new ImageSpec(place.Pools[0], $"{server.Id}_disk");
        return server.ImageId is null || server.TaskState is not null || !Settled.Contains(server.Status) || images.Any(i => i.Name == root.Name)
            ? null
            : new Disk(DiskKind.Server, server.Id, server.Id, server.ProjectId, root, Fate.Unasked).NotFound(place.Lacks(root.Name));
    }

    /// <summary>A volume; null for one that has no image of its own yet, or no longer.</summary>
    /// <param name="volume">The volume.</param>
    /// <param name="servers">The servers that Cinder says it is attached to, as Nova shows them; those that Nova does not know are left out.</param>
    public Disk? OfVolume(Volume volume, IReadOnlyCollection<Server> servers)
    {
        if (OnTheirWay.Contains(volume.Status) || volume.IsMigrationTarget || volume.Host is null || volume.ProjectId is null || ImageOf(volume) is not { } image)
        {
            return null;
        }

        var having = servers.Where(s => s.IsUnknown || s.Volumes?.Any(v => v.Id == volume.Id) == true).OrderBy(s => s.Id, StringComparer.Ordinal).ToList();
        var disk = Asked(volume, having, new Disk(DiskKind.Volume, volume.Id, having.FirstOrDefault(Asks)?.Id, volume.ProjectId, image, Fate.Unasked));
        return volume.Encrypted ? disk.Without("encrypted: Cinder deletes the key with the volume, and without it a backup can't be read") : disk;
    }

    /// <summary>True where a server's metadata ask for anything.</summary>
    public bool Asks(Server server) => Asks(server.Metadata);

    /// <summary>True where a volume's metadata ask for anything.</summary>
    public bool Asks(Volume volume) => Asks(volume.Metadata);

    private bool Asks(IReadOnlyDictionary<string, string>? metadata) => metadata is not null && (metadata.ContainsKey(words.PolicyKey) || metadata.ContainsKey(words.NowKey));

    private Disk Asked(Volume volume, List<Server> having, Disk disk)
    {
        var own = ChoiceOf(volume.Metadata);
        if (own.Asked)
        {
            return own.Active is null
                ? disk with { Fate = Fate.LeftOut, Why = own.Problem ?? "its own policy leaves it out" }
                : disk with { Fate = Fate.Protected, Policy = own.Active };
        }

        if (having.FirstOrDefault(s => !s.IsUnknown && s.ProjectId == volume.ProjectId && ChoiceOf(s.Metadata).Active is not null) is { } server)
        {
            return disk with { Server = server.Id, Fate = Fate.Protected, Policy = ChoiceOf(server.Metadata).Active, ByServer = true };
        }

        return having.Any(s => s.IsUnknown) ? disk with { Fate = Fate.Unknown, Why = "Nova does not know its server's state" } : disk;
    }

    /// <summary>The image is named by the volume's id, or by another one after a migration or a retype.</summary>
    private ImageSpec? ImageOf(Volume volume) =>
        Guid.TryParseExact(volume.NameId ?? volume.Id, "D", out var id) ? words.Disk(DiskKind.Volume, id).Image with { Pool = pools.OfVolume(volume.Host!) } : null;
}
