using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Restore;

/// <summary>What a restore into an existing image is about, in the image's state object, written before its first byte.</summary>
public sealed record InPlaceJournal
{
    /// <summary>The record's name in the state object.</summary>
    public const string Key = "in_place";

    /// <summary>The restore's id.</summary>
    public required Guid Restore { get; init; }

    /// <summary>The point.</summary>
    public required PointId Point { get; init; }

    /// <summary>The name of the snapshot of what was there before; null where there was nothing: an image without data, snapshots and parent.</summary>
    public string? SnapshotName { get; init; }

    /// <summary>True once that snapshot was made: nothing is written before.</summary>
    public bool SnapshotMade { get; init; }

    /// <summary>True once an undo has made the image what it was.</summary>
    public bool RolledBack { get; init; }

    /// <summary>The image's size before, in bytes.</summary>
    public required long OldSize { get; init; }

    /// <summary>True once the image is what the point is.</summary>
    public bool Done { get; init; }

    /// <summary>When it was begun.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>The journal among an image's records; null where there is none.</summary>
    /// <exception cref="RbdBackupException">Corrupt.</exception>
    public static InPlaceJournal? Of(IReadOnlyDictionary<string, byte[]> records)
    {
        try
        {
            return records.TryGetValue(Key, out var json) ? JsonSerializer.Deserialize(json, RestoreJson.Default.InPlaceJournal) : null;
        }
        catch (JsonException e)
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt, $"the journal of a restore in place can't be read: {e.Message}", "A snapshot of ours on the image is what it was before.", e);
        }
    }

    /// <summary>Refuses to work with an image that is half what it was and half what a point is.</summary>
    /// <exception cref="RbdBackupException">Busy.</exception>
    public static void RefuseUnfinished(IReadOnlyDictionary<string, byte[]> records, ImageSpec image)
    {
        if (Of(records) is { Done: false } begun)
        {
            throw new RbdBackupException(
                ErrorKind.Busy, $"a restore of point {begun.Point} into {image} was begun and has not ended: what it holds is half of each",
                $"Run 'rbdbackup restore {begun.Point} --to {image} --in-place' again, or 'rbdbackup restore --undo {image}'.");
        }
    }

    internal Task SaveAsync(ILease lease, CancellationToken cancel) =>
        lease.UpdateAsync(new Dictionary<string, byte[]> { [Key] = JsonSerializer.SerializeToUtf8Bytes(this, RestoreJson.Default.InPlaceJournal) }, [], cancel);
}
