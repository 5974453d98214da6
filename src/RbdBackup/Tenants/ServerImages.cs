using System.Globalization;
using System.Text;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Ports;
using RbdBackup.OpenStack.Images;

namespace RbdBackup.Tenants;

/// <summary>
/// The images that <c>openstack server backup create</c> made, each a wish for a backup of ours. Those that were there before anybody listened are none: else the
/// option's first minute would back up every server that ever had one.
/// </summary>
internal sealed class ServerImages(ImageClient glance, IStateStore state, TimeProvider time)
{
    private const string Since = "images_since";

    /// <summary>The images that ask and have not been seen, and, of a look at all servers, those that were and are gone.</summary>
    /// <param name="server">Those of this server; null for all.</param>
    /// <param name="asked">All that asked before.</param>
    /// <param name="cancel">Ends the listing.</param>
    public async Task<IReadOnlyList<Subject>> NewsAsync(string? server, IReadOnlyDictionary<Subject, Asking> asked, CancellationToken cancel)
    {
        var since = await SinceAsync(cancel);
        var gone = asked.Keys.Where(s => s.Kind == SubjectKind.Image).ToHashSet();
        var news = new List<Subject>();
        await foreach (var image in glance.ListServerBackupsAsync(server, cancel))
        {
            var subject = new Subject(SubjectKind.Image, image.Id);
            if (!gone.Remove(subject) && image is { Status: "active", BackupOfServer: not null } && image.CreatedAt >= since)
            {
                news.Add(subject);
            }
        }

        return server is null ? [.. news, .. gone] : news;
    }

    private async Task<DateTimeOffset> SinceAsync(CancellationToken cancel)
    {
        if ((await state.ReadAsync(StateKeys.Tenants, cancel)).TryGetValue(Since, out var text)
            && DateTimeOffset.TryParse(Encoding.ASCII.GetString(text), CultureInfo.InvariantCulture, out var since))
        {
            return since;
        }

        // Glance's times have whole seconds.
        var now = time.GetUtcNow().AddSeconds(-1);
        await state.WriteUnleasedAsync(StateKeys.Tenants, Since, Encoding.ASCII.GetBytes(now.ToString("O")), cancel);
        return now;
    }
}
