using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;

namespace RbdBackup.Core.Jobs;

/// <summary>How far a job is, or how it ended.</summary>
public enum JobState
{
    /// <summary>Asked for; nobody works on it.</summary>
    Waiting,

    /// <summary>The snapshot is about to be made; it may exist or not.</summary>
    Intent,

    /// <summary>The snapshot is there; its data is being stored.</summary>
    Running,

    /// <summary>The point is committed; the old base snapshot is being released.</summary>
    Committed,

    /// <summary>Done.</summary>
    Finished,

    /// <summary>Given up after the last try.</summary>
    Failed,

    /// <summary>Ended because somebody asked for it.</summary>
    Cancelled,
}

/// <summary>
/// What is being done to one image, in RADOS beside the lease, written before the snapshot is made, so that whoever comes next knows what to finish
/// or to sweep. Finished ones are kept in the store for a while.
/// </summary>
public sealed record JobRecord
{
    /// <summary>The point being made, which is also the job's id.</summary>
    public required PointId Point { get; init; }

    /// <summary>The image, <c>pool[/namespace]/name</c>.</summary>
    public required string Image { get; init; }

    /// <summary>How far it is.</summary>
    public required JobState State { get; init; }

    /// <summary>The last attempt.</summary>
    public required AttemptId Attempt { get; init; }

    /// <summary>The snapshot's name.</summary>
    public required string SnapshotName { get; init; }

    /// <summary>True where the job makes the snapshot, and may remove it.</summary>
    public required bool OwnSnapshot { get; init; }

    /// <summary>The snapshot's id, once known.</summary>
    public ulong? SnapshotId { get; init; }

    /// <summary>A full was asked for.</summary>
    public bool Full { get; init; }

    /// <summary>The policy; null where none was named.</summary>
    public string? Policy { get; init; }

    /// <summary>After how many days a full is due; null: never.</summary>
    public int? CycleDays { get; init; }

    /// <summary>
    /// The server point that its point is part of: it counts only with that, and goes on only in the hands of the run that began it. Null for an image's
    /// own, and once the server point is there.
    /// </summary>
    public ServerPointReference? ServerPoint { get; init; }

    /// <summary>Who asked.</summary>
    public required AskedBy AskedBy { get; init; }

    /// <summary>The records of the requests that it answers, removed with it; none where an older record lacks them.</summary>
    public IReadOnlyList<string> RequestKeys { get; init => field = value ?? []; } = [];

    /// <summary>When it was begun.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>How many times it was tried.</summary>
    public required int Tries { get; init; }

    /// <summary>Not to be tried again before.</summary>
    public DateTimeOffset? NextTry { get; init; }

    /// <summary>Why the last try failed.</summary>
    public string? LastError { get; init; }

    /// <summary>Where it runs or ran: host and process.</summary>
    public string? Holder { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? Ended { get; init; }

    /// <summary>The bytes to store.</summary>
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, JobJson.Default.JobRecord);

    /// <summary>Reads a record; null where the bytes are none (a newer program's, or damage: it is left alone).</summary>
    public static JobRecord? TryRead(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, JobJson.Default.JobRecord);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>Which point an image that was restored stands on: its next backup is an increment on it.</summary>
/// <param name="Point">The point.</param>
/// <param name="Disk">The disk whose point it is (<see cref="Keys.Disk"/>).</param>
/// <param name="SnapshotId">The snapshot on the restored image that holds the point's content.</param>
/// <param name="SnapshotName">That snapshot's name.</param>
public sealed record RestoreBinding(PointId Point, string Disk, ulong SnapshotId, string SnapshotName);

/// <summary>The JSON of job records.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JobRecord))]
[JsonSerializable(typeof(RestoreBinding))]
[JsonSerializable(typeof(DiskHold))]
[JsonSerializable(typeof(string[]))]
public sealed partial class JobJson : JsonSerializerContext;
