using System.Text.Json.Serialization;

namespace RbdBackup.Http.Keystone;

/// <summary>What Keystone answers a login with; the token itself is in a header.</summary>
internal sealed record KeystoneAnswer([property: JsonPropertyName("token")] KeystoneToken Token);

/// <summary>What a token is good for.</summary>
/// <param name="IssuedAt">Its start, by Keystone's clock.</param>
/// <param name="ExpiresAt">Its end, by Keystone's clock.</param>
/// <param name="Project">The project that it is for; null for a token without one.</param>
/// <param name="Catalog">The services; null for a token without a project.</param>
internal sealed record KeystoneToken(
    [property: JsonPropertyName("issued_at")] DateTimeOffset IssuedAt,
    [property: JsonPropertyName("expires_at")] DateTimeOffset ExpiresAt,
    [property: JsonPropertyName("project")] KeystoneProject? Project = null,
    [property: JsonPropertyName("catalog")] IReadOnlyList<KeystoneService?>? Catalog = null);

/// <summary>A token's project.</summary>
internal sealed record KeystoneProject([property: JsonPropertyName("id")] string Id);

/// <summary>A service of the catalogue.</summary>
internal sealed record KeystoneService(
    [property: JsonPropertyName("type")] string Type, [property: JsonPropertyName("endpoints")] IReadOnlyList<KeystoneEndpoint?> Endpoints);

/// <summary>Where a service can be reached.</summary>
internal sealed record KeystoneEndpoint(
    [property: JsonPropertyName("interface")] string Interface,
    [property: JsonPropertyName("url")] string Url,
    [property: JsonPropertyName("region_id")] string? Region = null);

/// <summary>How it is read: with an error where what must be there is not.</summary>
[JsonSourceGenerationOptions(RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(KeystoneAnswer))]
internal sealed partial class KeystoneJson : JsonSerializerContext;
