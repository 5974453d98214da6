using RbdBackup.Configuration;
using RbdBackup.Core.Model;

namespace RbdBackup.Composition;

/// <summary>The image names that OpenStack uses: <c>vms/ID_disk</c> of a server, <c>volumes/volume-ID</c> of a volume.</summary>
internal static class ImageNames
{
    /// <summary>A server's root disk.</summary>
    public static ImageSpec Server(CephSettings ceph, string id) => new(ceph.VmsPool, $"{Uuid("server", id)}_disk");

    /// <summary>A volume.</summary>
    public static ImageSpec Volume(CephSettings ceph, string id) => new(ceph.VolumesPool, $"volume-{Uuid("volume", id)}");

    private static string Uuid(string what, string id) =>
        Guid.TryParseExact(id, "D", out var uuid)
            ? uuid.ToString("D")
            : throw new RbdBackupException(ErrorKind.Usage, $"'{id}' is not the id of a {what}", $"'openstack {what} list' shows the ids; an image is given as 'image pool/name'.");
}
