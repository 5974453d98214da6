using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Volumes;

namespace RbdBackup.Worker;

/// <summary>A day that usage is told of, from midnight to midnight, UTC.</summary>
/// <param name="Beginning">Its first moment.</param>
internal sealed record UsageDay(DateTimeOffset Beginning)
{
    /// <summary>The first moment after it.</summary>
    public DateTimeOffset Ending => Beginning.AddDays(1);

    /// <summary>
    /// The day to tell of: the last whole one, unless it was told of. Of those before it nobody knows any more what there was: as Nova and Cinder do, they are
    /// passed over. Pure.
    /// </summary>
    /// <param name="toldUpTo">The end of the last day that was told of; null for none.</param>
    /// <param name="now">The time.</param>
    public static UsageDay? Due(DateTimeOffset? toldUpTo, DateTimeOffset now)
    {
        var last = new UsageDay(new DateTimeOffset(now.UtcDateTime.Date.AddDays(-1), TimeSpan.Zero));
        return toldUpTo >= last.Ending ? null : last;
    }
}

/// <summary>An event of usage.</summary>
/// <param name="Id">The same whenever the same day of the same disk and project is told of: collectors know by it what they have.</param>
/// <param name="Payload">What it tells.</param>
internal sealed record UsageEvent(Guid Id, JsonObject Payload);

/// <summary>Counts what disks have in the repository at the end of a day, by the project that asked for it. Pure.</summary>
internal sealed class UsageCount(UsageDay day, DiskPools pools)
{
    private readonly Dictionary<(string Disk, string? Project), Usage> _usage = [];

    /// <summary>Counts a point, unless it was made after that day.</summary>
    public void Add(Manifest point)
    {
        if (point.Created >= day.Ending)
        {
            return;
        }

        var key = (point.Disk.Key, point.AskedBy.Project);
        var sum = _usage.GetValueOrDefault(key);
        var newest = sum.Newest is { } known && known.Created >= point.Created ? known : new Newest(point.Point, point.Created, point.Disk.Spec, point.AskedBy.Volume ?? DiskNames.VolumeOf(pools, point.Disk.Spec), point.Size, point.Policy);
        _usage[key] = new Usage(sum.Points + 1, sum.StoredBytes + point.StoredBytes, newest);
    }

    /// <summary>An event for each disk and project.</summary>
    public IEnumerable<UsageEvent> Events() => _usage.Select(u => new UsageEvent(Id(u.Key.Disk, u.Key.Project), Payload(u.Key.Project, u.Value, u.Value.Newest!)));

    private JsonObject Payload(string? project, Usage usage, Newest newest) => new()
    {
        ["audit_period_beginning"] = Text(day.Beginning),
        ["audit_period_ending"] = Text(day.Ending),
        ["image"] = newest.Image.ToString(),
        ["server_id"] = DiskNames.ServerOf(pools, newest.Image),
        ["volume_id"] = newest.Volume,
        ["project_id"] = project,
        ["policy"] = newest.Policy,
        ["points"] = usage.Points,
        ["stored_bytes"] = usage.StoredBytes,
        ["size"] = newest.Size,
        ["newest_point"] = newest.Point.ToString(),
        ["newest_point_at"] = Text(newest.Created),
    };

    private Guid Id(string disk, string? project) =>
        new(SHA256.HashData(Encoding.UTF8.GetBytes($"rbdbackup usage\n{Text(day.Beginning)}\n{disk}\n{project}")).AsSpan(0, 16), bigEndian: true);

    /// <summary>As Nova and Cinder write the times of their audits.</summary>
    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private readonly record struct Usage(long Points, long StoredBytes, Newest? Newest);

    private sealed record Newest(PointId Point, DateTimeOffset Created, ImageSpec Image, string? Volume, long Size, string? Policy);
}
