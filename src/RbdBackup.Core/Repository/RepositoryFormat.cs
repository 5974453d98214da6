using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;
using RbdBackup.Core.Servers;

namespace RbdBackup.Core.Repository;

/// <summary>What this program reads and writes (docs/FORMAT.md).</summary>
public static class RepositoryFormat
{
    /// <summary>The version of the format.</summary>
    public const int Version = 1;

    /// <summary>The most that a small JSON object may take, in bytes.</summary>
    public const int MaxJson = 16 << 20;

    /// <summary>The feature of a manifest whose index is merged: it shows the whole image, with frames of other points, and needs no base.</summary>
    public const string MergedIndex = "merged-index";

    /// <summary>The feature of a repository, and of its manifests, whose objects are sealed.</summary>
    public const string Sealed = "sealed";

    /// <summary>The required features that this program knows.</summary>
    public static IReadOnlySet<string> KnownFeatures { get; } = new HashSet<string>(StringComparer.Ordinal) { FrameHash.Name, MergedIndex, Sealed };

    /// <summary>Refuses what a newer program wrote.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unsupported"/>.</exception>
    public static void Require(int format, IEnumerable<string> requiredFeatures, string key)
    {
        var unknown = requiredFeatures.Where(f => !KnownFeatures.Contains(f)).ToList();
        if (format != Version || unknown.Count > 0)
        {
            var what = format != Version ? $"has format {format}, this program reads format {Version}" : $"needs {string.Join(", ", unknown)}";
            throw new RbdBackupException(ErrorKind.Unsupported, $"{key} {what}", "Use a newer rbdbackup. Nothing was changed.");
        }
    }

    /// <summary>Reads JSON that a store gave.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>: not what it should be.</exception>
    public static T ReadJson<T>(ReadOnlySpan<byte> json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string key)
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw Corrupt(key, $"is not valid JSON of its kind: {e.Message}", e);
        }
    }

    /// <summary>An error about a damaged object.</summary>
    public static RbdBackupException Corrupt(string key, string why, Exception? inner = null) =>
        new(ErrorKind.Corrupt, $"{key} {why}", "'rbdbackup list' shows other points; a new full backup ('backup --full') does not need it.", inner);
}

/// <summary>The head of a repository; of several, the one with the smallest key counts.</summary>
/// <param name="Format">The version of the format.</param>
/// <param name="RequiredFeatures">What a reader must know.</param>
/// <param name="Id">The repository's id, a UUID.</param>
/// <param name="Created">When it was made.</param>
public sealed record RepositoryHeader(int Format, IReadOnlyList<string> RequiredFeatures, Guid Id, DateTimeOffset Created);

/// <summary>The JSON of the repository's objects: snake_case, enums as words.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true,
    RespectRequiredConstructorParameters = true, RespectNullableAnnotations = true, IgnoreReadOnlyProperties = true)]
[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(ReferenceList))]
[JsonSerializable(typeof(RepositoryHeader))]
[JsonSerializable(typeof(SegmentFooter))]
[JsonSerializable(typeof(IndexDirectory))]
[JsonSerializable(typeof(MergedDirectory))]
[JsonSerializable(typeof(PlanHead))]
[JsonSerializable(typeof(GarbageList))]
[JsonSerializable(typeof(Pin))]
[JsonSerializable(typeof(CatalogueDirectory))]
[JsonSerializable(typeof(ServerPoint))]
public sealed partial class RepositoryJson : JsonSerializerContext;
