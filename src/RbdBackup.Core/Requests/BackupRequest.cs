using System.Text.Json.Serialization;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Requests;

/// <summary>A wish for one restore point of one image, as it lies in the queue of jobs. <see cref="BackupRequestJson"/> reads and writes it.</summary>
public sealed record BackupRequest
{
    /// <summary>The version of this shape that this program writes, and the newest that it reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The shape's version; <see cref="CurrentVersion"/>.</summary>
    public required int Version { get; init; }

    /// <summary>The request's own id, a UUIDv7. A duplicate has another id and the same <see cref="DedupKey"/>.</summary>
    public required Guid Id { get; init; }

    /// <summary>What the request is about; equal for duplicates and replays.</summary>
    public required DedupKey DedupKey { get; init; }

    /// <summary>The image to back up, <c>pool[/namespace]/name</c>.</summary>
    [JsonConverter(typeof(ImageSpecJsonConverter))]
    public required ImageSpec Image { get; init; }

    /// <summary>An existing snapshot of the image to back up (a Cinder snapshot); null where a snapshot is made for the point.</summary>
    public string? Snapshot { get; init; }

    /// <summary>True where a full was asked for, whatever base there is.</summary>
    public bool Full { get; init; }

    /// <summary>The policy that the point belongs to; null where none asked.</summary>
    public string? Policy { get; init; }

    /// <summary>Who asked, and how.</summary>
    public required AskedBy AskedBy { get; init; }

    /// <summary>When it was asked.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>A request with a new id, made at <paramref name="now"/>.</summary>
    public static BackupRequest New(ImageSpec image, DedupKey dedupKey, AskedBy askedBy, DateTimeOffset now) => new()
    {
        Version = CurrentVersion,
        Id = Guid.CreateVersion7(now),
        DedupKey = dedupKey,
        Image = image,
        AskedBy = askedBy,
        Created = now,
    };
}

/// <summary>Who asked for a point.</summary>
/// <param name="Source">By which way.</param>
/// <param name="Project">The OpenStack project's id, as the message claims; null where there is none.</param>
/// <param name="User">The OpenStack user's id, or the operator's login name; null where unknown.</param>
/// <param name="RequestId">The OpenStack request id (<c>req-…</c>); null where there is none.</param>
/// <param name="MessageId">The notification's message id; null where no notification asked.</param>
/// <param name="Proven">True where Nova or Cinder said, when the point was asked for, that the disk is the project's.</param>
/// <param name="Volume">The id of the volume, as Cinder said when the point was asked for: after a migration its image is named by another one. Null for what is no volume, and where Cinder was not asked.</param>
public sealed record AskedBy(
    AskedSource Source, string? Project = null, string? User = null, string? RequestId = null, string? MessageId = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool Proven = false,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Volume = null);

/// <summary>By which way a request came.</summary>
public enum AskedSource
{
    /// <summary>An operator's command.</summary>
    [JsonStringEnumMemberName("cli")]
    Cli,

    /// <summary>A policy's hour.</summary>
    [JsonStringEnumMemberName("schedule")]
    Schedule,

    /// <summary>A tenant, with the metadata of a server, a volume or a Cinder snapshot.</summary>
    [JsonStringEnumMemberName("notification")]
    Notification,
}
