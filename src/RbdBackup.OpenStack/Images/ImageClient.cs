using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.Images;

/// <summary>Glance's images.</summary>
public sealed class ImageClient
{
    private readonly ServiceClient _glance;

    internal ImageClient(CloudSession session) => _glance = new ServiceClient(session, ServiceKind.Glance);

    /// <summary>Shows an image.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/> where there is none, or none that we may see.</exception>
    public async Task<GlanceImage> GetAsync(string id, CancellationToken cancel)
    {
        var call = new ServiceCall(HttpMethod.Get, $"/images/{ServiceCall.Part(id)}", $"showing the image {id}");
        return await _glance.GetAsync(CloudTypes.Default.GlanceImage, call, null, cancel);
    }

    /// <summary>The images that we may see, as they come.</summary>
    /// <param name="name">Those of exactly this name; null for all.</param>
    /// <param name="cancel">Ends the listing.</param>
    public IAsyncEnumerable<GlanceImage> ListAsync(string? name, CancellationToken cancel) =>
        _glance.ListAsync(
            CloudTypes.Default.IReadOnlyListGlanceImage, new(HttpMethod.Get, "/images", "listing images") { Query = new Dictionary<string, string?> { ["name"] = name } }, "images", image => image.Id, cancel);

    /// <summary>The images that <c>openstack server backup create</c> made, as their properties say, as they come.</summary>
    /// <param name="server">Those of this server; null for all servers'.</param>
    /// <param name="cancel">Ends the listing.</param>
    public IAsyncEnumerable<GlanceImage> ListServerBackupsAsync(string? server, CancellationToken cancel) =>
        _glance.ListAsync(
            CloudTypes.Default.IReadOnlyListGlanceImage, new(HttpMethod.Get, "/images", "listing the backups of servers") { Query = new Dictionary<string, string?> { ["image_type"] = "backup", ["instance_uuid"] = server } },
            "images", image => image.Id, cancel);
}
