using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;

namespace RbdBackup.Commands;

/// <summary>A point in <c>--json</c>; docs/commands.md promises these names.</summary>
internal sealed record PointDocument(
    string Id, string Image, string Kind, string Reason, DateTimeOffset Created, string? Base, string Snapshot, ulong SnapshotId, long Size,
    long DataBytes, long ZeroBytes, long StoredBytes, double Seconds, string? Policy, string Cluster, string ImageId, string Codec, int Segments,
    bool Independent, int Revision)
{
    public string? VolumeId { get; init; }

    public DateTimeOffset? PinnedUntil { get; init; }

    public string? PinnedWhy { get; init; }

    public DateTimeOffset? VerifiedAt { get; init; }

    public VerifyKind? VerifiedKind { get; init; }

    public bool? VerifiedOk { get; init; }

    public static PointDocument Of(Manifest m, IReadOnlyDictionary<PointId, Pin>? pins = null) => new(
        m.Point.ToString(), m.Disk.Spec.ToString(), Word(m.Kind), m.Reason, m.Created, m.Base?.Point.ToString(), m.Snapshot.Name, m.Snapshot.Id, m.Size,
        m.DataBytes, m.ZeroBytes, m.StoredBytes, m.Seconds, m.Policy, m.Disk.ClusterFsid, m.Disk.ImageId, m.Codec, m.Segments,
        m.Needs is null, m.Revision)
    {
        VolumeId = m.AskedBy.Volume,
        PinnedUntil = pins?.GetValueOrDefault(m.Point)?.Until,
        PinnedWhy = pins?.GetValueOrDefault(m.Point)?.Why,
    };

    /// <summary>The same with what is known by verifications.</summary>
    public PointDocument With(VerifiedState? verified) => this with { VerifiedAt = verified?.At, VerifiedKind = verified?.Kind, VerifiedOk = verified?.Ok };

    /// <summary>What is known by verifications, for people.</summary>
    public string? Verified() =>
        VerifiedAt is { } at ? $"{(VerifiedOk == true ? "" : "DAMAGED ")}{Cli.Humanize.Time(at)} {VerifiedKind?.ToString().ToLowerInvariant()}" : null;

    public static string Word(PointKind kind) => kind == PointKind.Full ? "full" : "increment";
}
