using Microsoft.Extensions.Logging;
using RbdBackup.Core.Model;

namespace RbdBackup.Tenants;

internal sealed partial class TenantKeeper
{
    /// <summary>A server is backed up once for each image that <c>openstack server backup create</c> made of it; the record stays as long as the image does.</summary>
    private async Task<Asking?> ImageAsync(Subject subject, Asking? record, CancellationToken cancel)
    {
        var image = await live.ImageAsync(subject.Id, cancel);
        if (image is null || record is not null || image.Status != "active" || image.BackupOfServer is not { } id)
        {
            return image is null ? null : record;
        }

        var known = await members.ReadAllAsync(cancel);
        var seen = await ServerAsync(new Subject(SubjectKind.Server, id), known, live, cancel)
            ?? throw new RbdBackupException(ErrorKind.Unavailable, $"Nova does not know now how server {id} is", "Its cell does not answer; it is asked again.");

        // Who may make images may write on them what server they are of.
        var why = seen.Project is null ? "its server is gone" : seen.Project != image.Owner ? "its server is another project's" : await gate.WhyNotAsync(seen.Project, cancel);
        if (why is null)
        {
            seen = seen with { Disks = await ExistingAsync(seen, known, live, all: true, cancel) };
            var (asks, whole) = ServerAskPlanner.Split(seen, TenantPlanner.OnceFor(seen, subject), policies);
            why = await AskAsync(asks, cancel);
            why = whole is null ? why : await AskAsync(whole, cancel) ?? why;
        }
        else
        {
            LogImageRefused(subject.Id, id, why);
        }

        return new Asking { Now = id, Nows = 1, Refused = why };
    }

    [LoggerMessage(4106, LogLevel.Warning, "the backup that image {Image} asks for of server {Server} is refused: {Why}")]
    private partial void LogImageRefused(string image, string server, string why);
}
