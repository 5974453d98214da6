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

    // Glance's times have whole seconds.
    private readonly DateTimeOffset _began = time.GetUtcNow().AddSeconds(-1);

    /// <summary>
    /// Writes down since when images ask, where nobody has: since this worker began to listen. Only who makes a pass may: of two workers that each find nothing written,
    /// the later one would else move the time on, past images that only the other had heard of, or that were not whole yet.
    /// </summary>
    /// <param name="lease">The lease of all passes.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async Task BeginAsync(ILease lease, CancellationToken cancel)
    {
        if (await SinceAsync(cancel) is null)
        {
            await lease.UpdateAsync(new Dictionary<string, byte[]> { [Since] = Encoding.ASCII.GetBytes(_began.ToString("O")) }, [], cancel);
        }
    }

    /// <summary>The images that ask and have not been seen, and, of a look at all servers, those that were and are gone.</summary>
    /// <param name="server">Those of this server; null for all.</param>
    /// <param name="asked">All that asked before.</param>
    /// <param name="cancel">Ends the listing.</param>
    public async Task<IReadOnlyList<Subject>> NewsAsync(string? server, IReadOnlyDictionary<Subject, Asking> asked, CancellationToken cancel)
    {
        if (await SinceAsync(cancel) is not { } since)
        {
            // The first pass is not there yet; it writes that down, and then looks at all images.
            return [];
        }

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

    private async Task<DateTimeOffset?> SinceAsync(CancellationToken cancel) =>
        (await state.ReadAsync(StateKeys.Tenants, cancel)).TryGetValue(Since, out var text)
        && DateTimeOffset.TryParse(Encoding.ASCII.GetString(text), CultureInfo.InvariantCulture, out var since)
            ? since
            : null;
}
