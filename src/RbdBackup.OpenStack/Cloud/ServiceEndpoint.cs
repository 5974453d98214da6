using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using RbdBackup.Core.Model;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>Where a service is, and how we speak with it.</summary>
/// <param name="InCatalogue">The URL that the catalogue gives.</param>
/// <param name="Url">What calls are made below; without a '/' at its end.</param>
/// <param name="ApiVersion">The value of the header OpenStack-API-Version; null for a service without microversions.</param>
internal sealed partial record ServiceEndpoint(string InCatalogue, string Url, string? ApiVersion)
{
    /// <summary>The URL up to the version. Catalogues have it with and without, and with a project behind it.</summary>
    public static string RootOf(ServiceKind kind, string inCatalogue) =>
        VersionInPath().Match(inCatalogue) is { Success: true } found ? $"{inCatalogue[..found.Index]}/{kind.Version}" : $"{inCatalogue}/{kind.Version}";

    /// <summary>The microversion to speak, from the service's version document.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unsupported"/>: there is none that both know.</exception>
    public static string Negotiate(ServiceKind kind, NeededMicroversions needed, string root, VersionDocument document)
    {
        var version = document.Version ?? document.Versions?.FirstOrDefault(v => v.Id.StartsWith(kind.Version, StringComparison.Ordinal));
        var known = Microversion.TryParse(version?.MinVersion, out var min) & Microversion.TryParse(version?.Version, out var max);
        if (known && Microversion.Negotiate(needed.Floor, needed.Newest, min, max) is { } chosen)
        {
            return $"{needed.Word} {chosen}";
        }
        throw new RbdBackupException(
            ErrorKind.Unsupported,
            $"{kind.Name} at {root} speaks {(known ? $"microversions {min} to {max}" : "no microversions")}; needed is one from {needed.Floor} to {needed.Newest}.",
            $"A cloud of OpenStack {needed.Release} or newer has it; an older one has to be upgraded first.");
    }

    [GeneratedRegex(@"/v\d+(\.\d+)?(?=/|$)", RegexOptions.CultureInvariant)]
    private static partial Regex VersionInPath();
}

/// <summary>What a service says of its interface: Nova one version, Cinder a list of one.</summary>
internal sealed record VersionDocument(OfferedVersion? Version = null, IReadOnlyList<OfferedVersion>? Versions = null);

/// <summary>An interface that is offered.</summary>
internal sealed record OfferedVersion(string Id, string? Version = null, [property: JsonPropertyName("min_version")] string? MinVersion = null);

/// <summary>How that is read, and any answer as it is.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(VersionDocument))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class EndpointJson : JsonSerializerContext;
