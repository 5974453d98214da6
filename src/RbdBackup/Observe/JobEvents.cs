using System.Text.Json.Nodes;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Servers;
using RbdBackup.Messaging;
using RbdBackup.Servers;

namespace RbdBackup.Observe;

/// <summary>
/// Tells the cloud's collectors of jobs: <c>rbdbackup.backup.start</c>, <c>.end</c> and <c>.error</c>, and the same of <c>rbdbackup.restore</c>. A job that finds
/// its image busy with another, or is stopped, has no end.
/// </summary>
/// <param name="publisher">Where to; null where nobody is told.</param>
internal sealed class JobEvents(EventPublisher? publisher)
{
    /// <summary>Does a backup, and tells of it.</summary>
    public Task<Manifest> BackupAsync(ImageSpec image, string? policy, string? project, Func<Task<Manifest>> work) => TellAsync(
        "backup", new() { ["image"] = image.ToString(), ["policy"] = policy, ["project_id"] = project }, work,
        point => new()
        {
            ["point"] = point.Point.ToString(),
            ["kind"] = point.Kind == PointKind.Full ? "full" : "increment",
            ["size"] = point.Size,
            ["data_bytes"] = point.DataBytes,
            ["stored_bytes"] = point.StoredBytes,
            ["seconds"] = point.Seconds,
        });

    /// <summary>Makes a server point, and tells of it as a backup, with <c>server_id</c> in the place of the image.</summary>
    public Task<ServerPoint> ServerBackupAsync(string server, string? policy, string? project, Func<Task<ServerPoint>> work) => TellAsync(
        "backup", new() { ["server_id"] = server, ["policy"] = policy, ["project_id"] = project }, work,
        point => new()
        {
            ["server_point"] = point.Id.ToString(),
            ["consistency"] = point.Consistency.ToString().ToLowerInvariant(),
            ["disks"] = point.Disks.Count,
            ["size"] = point.Disks.Sum(d => d.Size),
        });

    /// <summary>Does a restore, and tells of it.</summary>
    /// <param name="point">The point.</param>
    /// <param name="volume">The volume that it goes to; null where that is an image, or not made yet.</param>
    /// <param name="project">The project that asked; null for an operator.</param>
    /// <param name="work">The restore.</param>
    /// <param name="server">The server whose disk it becomes; null for none.</param>
    public Task RestoreAsync(Manifest point, string? volume, string? project, Func<Task> work, string? server = null) => TellAsync(
        "restore",
        new()
        {
            ["point"] = point.Point.ToString(),
            ["image"] = point.Disk.Spec.ToString(),
            ["size"] = point.Size,
            ["volume_id"] = volume,
            ["server_id"] = server,
            ["project_id"] = project,
        },
        async () =>
        {
            await work();
            return true;
        },
        _ => []);

    /// <summary>Makes a new server of a server point, and tells of it as a restore, with <c>server_point</c> in the place of point and image.</summary>
    public Task<NewServerResult> NewServerAsync(ServerPoint point, Func<Task<NewServerResult>> work) => TellAsync(
        "restore",
        new() { ["server_point"] = point.Id.ToString(), ["size"] = point.Disks.Sum(d => d.Size), ["project_id"] = null }, work,
        made => new() { ["server_id"] = made.Server });

    private async Task<T> TellAsync<T>(string what, JsonObject about, Func<Task<T>> work, Func<T, JsonObject> result)
    {
        publisher?.Info($"rbdbackup.{what}.start", With(about, []));
        try
        {
            var done = await work();
            publisher?.Info($"rbdbackup.{what}.end", With(about, result(done)));
            return done;
        }
        catch (RbdBackupException e) when (e.Kind != ErrorKind.Busy)
        {
            publisher?.Error($"rbdbackup.{what}.error", With(about, new() { ["error"] = e.Kind.ToString().ToLowerInvariant(), ["message"] = e.Message }));
            throw;
        }
    }

    private static JsonObject With(JsonObject about, JsonObject more) =>
        new(about.Concat(more).Select(member => new KeyValuePair<string, JsonNode?>(member.Key, member.Value?.DeepClone())));
}
