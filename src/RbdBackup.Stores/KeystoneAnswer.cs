using System.Text.Json.Serialization;
using RbdBackup.Core.Model;

namespace RbdBackup.Stores;

/// <summary>What Keystone answers a login with; the token itself is in a header.</summary>
internal sealed record KeystoneAnswer([property: JsonPropertyName("token"), JsonRequired] KeystoneToken Token);

/// <summary>What a token is good for.</summary>
/// <param name="IssuedAt">Its start, by Keystone's clock.</param>
/// <param name="ExpiresAt">Its end, by Keystone's clock.</param>
/// <param name="Catalog">The services; null for a token without a project.</param>
internal sealed record KeystoneToken(
    [property: JsonPropertyName("issued_at")] DateTimeOffset IssuedAt,
    [property: JsonPropertyName("expires_at")] DateTimeOffset ExpiresAt,
    [property: JsonPropertyName("catalog")] IReadOnlyList<KeystoneService>? Catalog)
{
    /// <summary>The URL of a service's endpoint.</summary>
    /// <param name="type">The service's type, such as <c>object-store</c>.</param>
    /// <param name="region">The region; null for any.</param>
    /// <param name="interfaces">The interfaces that may be taken, best first.</param>
    /// <param name="keystone">Keystone's address, for the error.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/>; the message says what the catalogue has.</exception>
    public string FindEndpoint(string type, string? region, IReadOnlyList<string> interfaces, string keystone)
    {
        var endpoints = (Catalog ?? []).Where(service => service.Type == type).SelectMany(service => service.Endpoints).ToList();
        var found = interfaces
            .SelectMany(wanted => endpoints.Where(endpoint => endpoint.Interface == wanted && (region is null || endpoint.Region == region)))
            .FirstOrDefault();
        if (found is not null)
        {
            return found.Url;
        }
        var there = endpoints.Count == 0 ? "none" : string.Join(", ", endpoints.Select(endpoint => $"{endpoint.Region} {endpoint.Interface}"));
        throw new RbdBackupException(
            ErrorKind.NotFound,
            $"The catalogue of Keystone at {keystone} has no {type} endpoint {(region is null ? "" : $"in region '{region}' ")}"
                + $"with interface {string.Join(" or ", interfaces)}; it has: {there}.",
            "Correct [keystone] region_name and valid_interfaces, or have the endpoint made.");
    }
}

/// <summary>A service of the catalogue.</summary>
internal sealed record KeystoneService(
    [property: JsonPropertyName("type")] string Type, [property: JsonPropertyName("endpoints")] IReadOnlyList<KeystoneEndpoint> Endpoints);

/// <summary>Where a service can be reached.</summary>
internal sealed record KeystoneEndpoint(
    [property: JsonPropertyName("interface")] string Interface,
    [property: JsonPropertyName("region_id")] string? Region,
    [property: JsonPropertyName("url")] string Url);
