using System.Collections.ObjectModel;
using System.Text.Json.Serialization;

namespace RbdBackup.Tenants;

/// <summary>What may ask for backups.</summary>
internal enum SubjectKind
{
    Server,
    Volume,
    Snapshot,

    /// <summary>An image in Glance that <c>openstack server backup create</c> made.</summary>
    Image,
}

/// <summary>A server, volume, Cinder snapshot, or image of a server.</summary>
/// <param name="Kind">Which of them.</param>
/// <param name="Id">Its id; a UUID in its usual form.</param>
internal sealed record Subject(SubjectKind Kind, string Id)
{
    /// <summary>The name of its record.</summary>
    public string Key => $"{Kind.ToString().ToLowerInvariant()}.{Id}";

    /// <summary>True for what asks once, by being there; a record says that it was seen.</summary>
    public bool AsksOnce => Kind is SubjectKind.Snapshot or SubjectKind.Image;

    /// <summary>Reads <see cref="Key"/>; null where it is none.</summary>
    public static Subject? OfKey(string key) =>
        key.Split('.') is [var kind, var id] && Enum.TryParse<SubjectKind>(kind, ignoreCase: true, out var k) && Guid.TryParseExact(id, "D", out _) ? new Subject(k, id) : null;

    /// <inheritdoc/>
    public override string ToString() => $"{Kind.ToString().ToLowerInvariant()} {Id}";
}

/// <summary>How the last backup of a disk ended.</summary>
/// <param name="At">When: of a point, when its snapshot was taken.</param>
/// <param name="Point">The point; null where it failed.</param>
/// <param name="Error">Why it failed, for its project to read; null where it did not.</param>
internal sealed record DiskResult(DateTimeOffset At, string? Point, string? Error);

/// <summary>A disk that is not protected although a policy is named, and why.</summary>
/// <param name="Image">The image.</param>
/// <param name="Why">Why, for its project to read.</param>
/// <param name="Detail">What the operator has to mend; null for nothing.</param>
internal sealed record Skipped(string Image, string Why, string? Detail = null);

/// <summary>
/// What a server, volume or Cinder snapshot asked for when it was last looked at, in RADOS, so that nothing is asked for twice, whatever is repeated, lost
/// or started again.
/// </summary>
internal sealed record Asking
{
    /// <summary>The policy as the project wrote it; null for none.</summary>
    public string? Policy { get; init; }

    /// <summary>The last value of the key that asks for a backup at once; null for none.</summary>
    public string? Now { get; init; }

    /// <summary>How many values of that key were seen.</summary>
    public int Nows { get; init; }

    /// <summary>What is wrong with what it asks; null where nothing is. For the project to read.</summary>
    public string? Problem { get; init; }

    /// <summary>Why a backup was not made although it was asked for; null since the last that was. For the project to read.</summary>
    public string? Refused { get; init; }

    // Where a record lacks a list, what reads it sets null.

    /// <summary>The images that are protected.</summary>
    public IReadOnlyList<string> Covered { get; init => field = value ?? []; } = [];

    /// <summary>Those that are not, although a policy is named.</summary>
    public IReadOnlyList<Skipped> Skipped { get; init => field = value ?? []; } = [];

    /// <summary>How backups ended, by image.</summary>
    public IReadOnlyDictionary<string, DiskResult> Results { get; init => field = value ?? ReadOnlyDictionary<string, DiskResult>.Empty; } = ReadOnlyDictionary<string, DiskResult>.Empty;

    /// <summary>The status that the server has in its metadata; null where it has none of ours.</summary>
    public string? Status { get; init; }
}

/// <summary>How it is written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Asking))]
internal sealed partial class AskingJson : JsonSerializerContext;
