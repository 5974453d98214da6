using System.Globalization;
using System.Text.RegularExpressions;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Backup;

/// <summary>
/// How snapshots are called. Cinder removes <c>backup.ID.snap.TIME</c> by itself when a volume is deleted, and refuses the deletion for any other
/// name; Nova cares for no names.
/// </summary>
/// <param name="VolumePool">The pool of Cinder's volumes.</param>
/// <param name="VolumeTemplate">The name in that pool; holds <c>{point}</c>, may hold <c>{time}</c>.</param>
/// <param name="Template">The name elsewhere; holds <c>{point}</c>, may hold <c>{time}</c>.</param>
public sealed partial record SnapshotNaming(string VolumePool, string VolumeTemplate, string Template)
{
    /// <summary>Other pools with Cinder's volumes.</summary>
    public IReadOnlyCollection<string> MoreVolumePools { get; init; } = [];

    /// <summary>The name of a point's snapshot.</summary>
    public string Name(ImageSpec image, PointId point) =>
        For(image)
            .Replace("{point}", point.ToString(), StringComparison.Ordinal)
            .Replace("{time}", (point.Time.ToUnixTimeMilliseconds() / 1000.0).ToString("F2", CultureInfo.InvariantCulture), StringComparison.Ordinal);

    /// <summary>The point that a snapshot is named after, by any template; null for a snapshot that is not ours.</summary>
    public PointId? PointOf(string snapshot) => Match(VolumeTemplate, snapshot) ?? Match(Template, snapshot);

    /// <summary>True for a snapshot of ours.</summary>
    public bool IsOurs(ImageSnapshot snapshot) => snapshot.Namespace == SnapshotNamespace.User && PointOf(snapshot.Name) is not null;

    /// <summary>True for a snapshot that Cinder removes by itself when it deletes the volume: <c>backup.ID.snap.TIME</c>, with an id of <c>[a-z0-9-]</c>.</summary>
    public bool IsRemovedByCinder(ImageSpec image, string snapshot) => IsVolume(image) && CinderName().IsMatch(snapshot);

    [GeneratedRegex(@"\Abackup\.[a-z0-9-]+\.snap\..")]
    private static partial Regex CinderName();

    private bool IsVolume(ImageSpec image) => image.Pool == VolumePool || MoreVolumePools.Contains(image.Pool);

    private string For(ImageSpec image) => IsVolume(image) ? VolumeTemplate : Template;

    private static PointId? Match(string template, string snapshot)
    {
        var before = template.IndexOf("{point}", StringComparison.Ordinal);
        var after = template[(before + "{point}".Length)..].Split("{time}")[0];
        return snapshot.Length >= before + 36 + after.Length
            && snapshot.StartsWith(template[..before], StringComparison.Ordinal)
            && snapshot.AsSpan(before + 36).StartsWith(after, StringComparison.Ordinal)
            && PointId.TryParse(snapshot.Substring(before, 36), out var point)
            ? point
            : null;
    }
}
