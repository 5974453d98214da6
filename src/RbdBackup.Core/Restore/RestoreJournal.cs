using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Restore;

/// <summary>
/// What a restore onto a name is about, in RADOS, written before anything is made: with it, and with where the image ids are found, whoever comes
/// next knows what to finish or to undo.
/// </summary>
public sealed record RestoreJournal
{
    /// <summary>The record's name in the state object.</summary>
    public const string Key = "journal";

    /// <summary>The restore's id.</summary>
    public required Guid Restore { get; init; }

    /// <summary>The point.</summary>
    public required PointId Point { get; init; }

    /// <summary>The name to restore to, <c>pool[/namespace]/name</c>.</summary>
    public required string Target { get; init; }

    /// <summary>The image that is filled; null until it was made.</summary>
    public string? NewImageId { get; init; }

    /// <summary>The image that had the name; null where none had it, or it is not known yet.</summary>
    public string? OldImageId { get; init; }

    /// <summary>True once the new image holds the point, verified, with its base snapshot.</summary>
    public bool Filled { get; init; }

    /// <summary>True once the new image has the name and the old one is in the trash.</summary>
    public bool Done { get; init; }

    /// <summary>True while the restore is being undone.</summary>
    public bool Undoing { get; init; }

    /// <summary>When it was begun.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>The name under which the new image is filled, and kept when the restore is undone. Not beginning with a server's id: Nova's clean-up
    /// deletes every image that does.</summary>
    public ImageSpec Scratch => TargetSpec.WithName($"rbdbackup.{Restore}.new");

    /// <summary>The name that the old image has between the renames.</summary>
    public ImageSpec Aside => TargetSpec.WithName($"rbdbackup.{Restore}.old");

    /// <summary>The name to restore to.</summary>
    public ImageSpec TargetSpec => ImageSpec.Parse(Target);

    /// <summary>The bytes to store.</summary>
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, RestoreJson.Default.RestoreJournal);

    /// <summary>Reads a journal.</summary>
    /// <exception cref="RbdBackupException">Corrupt.</exception>
    public static RestoreJournal Read(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, RestoreJson.Default.RestoreJournal) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt, $"the journal of a restore can't be read: {e.Message}",
                "Look for images named rbdbackup.*.new and .old in the pool and put them right by hand.", e);
        }
    }
}

/// <summary>The JSON of restore journals.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, IgnoreReadOnlyProperties = true)]
[JsonSerializable(typeof(RestoreJournal))]
[JsonSerializable(typeof(InPlaceJournal))]
public sealed partial class RestoreJson : JsonSerializerContext;
