using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Volumes;

/// <summary>What was found of a volume, its servers and its image.</summary>
/// <param name="Volume">The volume.</param>
/// <param name="Servers">The servers that have it.</param>
/// <param name="CinderSnapshots">How many snapshots Cinder has of it.</param>
/// <param name="OtherSnapshots">The snapshots on its image that are neither ours nor Cinder's (another volume's that was made of it).</param>
internal sealed record VolumeSight(Volume Volume, IReadOnlyList<Server> Servers, int CinderSnapshots, IReadOnlyList<string> OtherSnapshots);

/// <summary>How a restore into a volume is wanted.</summary>
/// <param name="Point">The point's size, in bytes.</param>
/// <param name="Needs">The most bytes that it may write.</param>
/// <param name="Free">The free bytes of the volume's pool.</param>
/// <param name="InPlace">True: into the image that is there.</param>
internal sealed record VolumeWant(long Point, long Needs, long Free, bool InPlace);

/// <summary>Decides whether and how a volume can be restored into. Pure.</summary>
internal static class VolumePlanner
{
    private const long Gib = 1L << 30;

    /// <summary>A volume's size in bytes.</summary>
    public static long BytesOf(Volume volume) => volume.Size * Gib;

    /// <summary>The size in GiB of a volume that holds so many bytes.</summary>
    public static long GibOf(long bytes) => Math.Max(1, (bytes + Gib - 1) / Gib);

    /// <summary>The servers to keep from the volume; none where Cinder holds it by an attachment.</summary>
    /// <param name="sight">What was found.</param>
    /// <param name="want">What is wanted; null where a restore is undone.</param>
    /// <param name="stopServers">True: servers that have the volume may be stopped.</param>
    /// <param name="earlier">What a restore that did not end noted of the same servers; null where there is none.</param>
    /// <exception cref="RbdBackupException">Refused, Busy, NoSpace: it can't be done, and nothing was.</exception>
    public static IReadOnlyList<HeldServer> Plan(VolumeSight sight, VolumeWant? want, bool stopServers, VolumeJournal? earlier)
    {
        var volume = sight.Volume;
        if (want is not null)
        {
            RefuseIfLost(sight, want);
        }

        if (volume.MigrationStatus is not (null or "none" or "success" or "error"))
        {
            throw new RbdBackupException(ErrorKind.Busy, $"volume {volume.Id} is being moved ({volume.MigrationStatus})", "Wait until that has ended.");
        }

        if (sight.Servers.Count == 0)
        {
            return volume.Status == "available" || (volume.Status == "reserved" && earlier is not null)
                ? []
                : throw new RbdBackupException(
                    ErrorKind.Busy, $"volume {volume.Id} is '{volume.Status}'", "It has to be available, or attached to servers only: wait, or detach it.");
        }

        return [.. sight.Servers.Select(s => Hold(volume, s, stopServers, earlier?.Servers.FirstOrDefault(e => e.Id == s.Id)))];
    }

    private static void RefuseIfLost(VolumeSight sight, VolumeWant want)
    {
        var volume = sight.Volume;
        if (volume.Encrypted)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"volume {volume.Id} is encrypted by Cinder (LUKS): what is restored into it would be read with its own key, and the point was not written with that",
                "Restore into a new volume of a type without encryption: 'restore POINT --to-new-volume --type TYPE'.");
        }

        if (want.Point > BytesOf(volume))
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"the point has {want.Point} bytes, volume {volume.Id} has {volume.Size} GiB",
                $"Make it larger first: 'openstack volume set --size {GibOf(want.Point)} {volume.Id}'. Its project's quota is charged for that.");
        }

        if (!want.InPlace && sight.CinderSnapshots > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"Cinder has {sight.CinderSnapshots} snapshots of volume {volume.Id}, which a new image would not have",
                "Give --in-place: what differs is written into the image that is there, and its snapshots live on.");
        }

        if (!want.InPlace && sight.OtherSnapshots.Count > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Refused,
                $"the image of volume {volume.Id} has snapshots that are not ours ({string.Join(", ", sight.OtherSnapshots.Take(5))}), which a new image would not have",
                "Give --in-place: what differs is written into the image that is there, and its snapshots live on.");
        }

        RefuseIfFull(want.Needs, want.Free, volume.Id);
    }

    /// <summary>Refuses to fill a pool up.</summary>
    /// <exception cref="RbdBackupException">NoSpace.</exception>
    public static void RefuseIfFull(long needs, long free, string volume)
    {
        if (needs > free)
        {
            throw new RbdBackupException(
                ErrorKind.NoSpace, $"the restore may write {needs} bytes beside what volume {volume} has now, and its pool has room for {free}",
                "Make room: 'ceph df' shows the pool, 'rbd trash purge' removes what earlier restores replaced.");
        }
    }

    private static HeldServer Hold(Volume volume, Server server, bool stopServers, HeldServer? earlier)
    {
        if (!stopServers)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"volume {volume.Id} is attached to server {server.Id}",
                "Detach it, or give --stop-server: the server is locked, stopped, and started again when the volume is restored.");
        }

        return earlier ?? (server.Status is "ACTIVE" or "SHUTOFF" or "SHELVED_OFFLOADED" && server.TaskState is null
            ? new HeldServer(server.Id, server.Status == "ACTIVE", server.Locked)
            : throw new RbdBackupException(
                ErrorKind.Busy, $"server {server.Id}, which has volume {volume.Id}, is {server.Status}{(server.TaskState is { } task ? $" ({task})" : "")}",
                "It has to be ACTIVE or SHUTOFF, with nothing being done to it: what it has in memory would not fit the restored volume."));
    }
}
