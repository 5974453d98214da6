using System.Globalization;
using System.Text;
using RbdBackup.Core.Model;

namespace RbdBackup.Tenants;

/// <summary>
/// What a server's project reads in its metadata: one line of ASCII within Nova's 255 characters, which changes only when something did. It names nothing of
/// what is behind the cloud. Pure.
/// </summary>
internal static class StatusText
{
    private const int Longest = 255;

    /// <summary>The status; null where there is nothing to say.</summary>
    public static string? Of(Asking asking)
    {
        var failed = asking.Results.Where(r => r.Value.Error is not null).OrderBy(r => r.Key, StringComparer.Ordinal).ToList();
        var good = asking.Results.Where(r => r.Value.Point is not null).Select(r => r.Value).OrderBy(r => r.At).ToList();
        var missing = asking.Covered.Count(c => !asking.Results.ContainsKey(c));
        var isLost = asking.Skipped.Any(s => s.Detail is not null);
        var text = asking switch
        {
            { Problem: { } problem } => $"error: {problem}",
            { Refused: { } refused } => $"refused {refused}",
            { Covered.Count: 0, Policy: not (null or "none") } when isLost => "error: a disk was not found",
            _ when failed.Count > 0 => $"failed {Time(failed[0].Value.At)}: {Name(failed[0].Key)}: {failed[0].Value.Error}",
            _ when missing > 0 => $"waiting: {Disks(asking.Covered.Count - missing)} of {asking.Covered.Count} backed up, policy {asking.Policy}",
            _ when good.Count > 0 => $"ok {Time(good[^1].At)}: {Disks(good.Count)}, point {good[^1].Point}{(asking.Covered.Count > 0 ? $", policy {asking.Policy}" : "")}",
            { Covered.Count: 0, Policy: not (null or "none") } => "waiting: no disk to back up yet",
            { Now: not null } when isLost => "error: a disk was not found",
            _ => null,
        };
        return text is null ? null : Line(asking.Problem is null ? text + NotCovered(asking) : text);
    }

    /// <summary>Why a backup failed, in words that say nothing of hosts and pools.</summary>
    public static string Reason(ErrorKind kind) => kind switch
    {
        ErrorKind.NotFound => "the disk was not found",
        ErrorKind.Busy => "the disk is in use by another job; it is tried again",
        ErrorKind.Unavailable => "the storage did not answer; it is tried again",
        ErrorKind.NoSpace => "the backup store is full",
        ErrorKind.Dropped => "the disk was changed or removed meanwhile",
        _ => "ask the operator, whose log has the reason",
    };

    private static string NotCovered(Asking asking)
    {
        // Not those of Nova's own disks that nobody misses.
        var missed = asking.Skipped.Where(s => s.Detail is not null || s.Image.Contains("/volume-", StringComparison.Ordinal)).ToList();
        return missed.Count == 0 ? "" : $"; not backed up: {Name(missed[0].Image)} ({missed[0].Why}){(missed.Count > 1 ? $" and {missed.Count - 1} more" : "")}";
    }

    private static string Disks(int count) => count == 1 ? "1 disk" : $"{count} disks";

    private static string Name(string image) => image[(image.LastIndexOf('/') + 1)..];

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    private static string Line(string text)
    {
        var line = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            line.Append(c is >= ' ' and <= '~' ? c : '?');
        }

        return line.Length <= Longest ? line.ToString() : line.ToString(0, Longest - 3) + "...";
    }
}
