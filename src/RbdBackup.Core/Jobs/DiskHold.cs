using System.Text.Json;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Jobs;

/// <summary>
/// Says that an image was released because its cloud is about to remove it or to make it anew: until then no snapshot of ours may come onto it again. Whoever
/// releases writes it <em>before</em> looking for snapshots, and a backup looks for it <em>after</em> making one: whichever comes second sees the other.
/// It is about one image, by its id: the image that takes its place is free at once. It stays as the proof that the disk was ours when it was released.
/// </summary>
/// <param name="Reason">Why, for messages; one word.</param>
/// <param name="Since">When it was released.</param>
/// <param name="Until">Until when no snapshot is made.</param>
public sealed record DiskHold(string Reason, DateTimeOffset Since, DateTimeOffset Until)
{
    /// <summary>The reason of a disk whose server or volume is being deleted.</summary>
    public const string Deleting = "deleting";

    // Nova tries to remove a disk for a minute; before that it may look for a host, and stop the guest.
    private static readonly TimeSpan Length = TimeSpan.FromMinutes(3);

    /// <summary>A hold that begins now. One of a deletion does not become another: nothing follows a deletion, but messages come in any order.</summary>
    public static DiskHold Begin(string reason, DateTimeOffset now, DiskHold? before) =>
        before is { Reason: Deleting } ? before with { Until = now + Length } : new(reason, now, now + Length);

    /// <summary>Reads the hold among an image's records; null where there is none, or none that can be read.</summary>
    public static DiskHold? Of(IReadOnlyDictionary<string, byte[]> records)
    {
        try
        {
            return records.TryGetValue(StateKeys.Hold, out var json) ? JsonSerializer.Deserialize(json, JobJson.Default.DiskHold) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The bytes to store.</summary>
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, JobJson.Default.DiskHold);

    /// <summary>Why a backup has to wait, as an error; null where it has not.</summary>
    /// <param name="image">The image.</param>
    /// <param name="now">The time.</param>
    public RbdBackupException? WhyWait(ImageSpec image, DateTimeOffset now) => now >= Until
        ? null
        : new RbdBackupException(
            ErrorKind.Busy, $"{image} was released at {Since.UtcDateTime:HH:mm:ss} UTC, since its cloud works on it ({Reason})",
            $"No snapshot is made before {Until.UtcDateTime:HH:mm:ss} UTC. What waits in the queue is done then; a command may be given again.");
}
