using RbdBackup.Core.Model;

namespace RbdBackup.Http.Keystone;

/// <summary>Where the cloud's services are, as a token's catalogue says it.</summary>
public sealed class ServiceCatalog
{
    private readonly IReadOnlyList<KeystoneService> _services;
    private readonly KeystoneOptions _options;
    private readonly string _keystone;

    internal ServiceCatalog(IReadOnlyList<KeystoneService?>? services, KeystoneOptions options, string keystone)
    {
        _services = [.. (services ?? []).OfType<KeystoneService>()];
        _options = options;
        _keystone = keystone;
    }

    /// <summary>The URL of a service's endpoint in our region, without a '/' at its end.</summary>
    /// <param name="types">The names of the service's type, best first, such as <c>block-storage</c> and <c>volumev3</c>.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/>; the message says what the catalogue has.</exception>
    public string FindEndpoint(params IReadOnlyList<string> types)
    {
        var endpoints = types.SelectMany(type => _services.Where(service => service.Type == type)).SelectMany(service => service.Endpoints).OfType<KeystoneEndpoint>().ToList();
        var found = _options.Interfaces
            .SelectMany(wanted => endpoints.Where(endpoint => endpoint.Interface == wanted && (_options.RegionName is null || endpoint.Region == _options.RegionName)))
            .FirstOrDefault();
        return found?.Url.TrimEnd('/') ?? throw NotThere(types, endpoints);
    }

    private RbdBackupException NotThere(IReadOnlyList<string> types, List<KeystoneEndpoint> endpoints)
    {
        var type = string.Join(" or ", types);
        var region = _options.RegionName is null ? "" : $"in region '{_options.RegionName}' ";
        var there = endpoints.Count > 0
            ? string.Join(", ", endpoints.Select(endpoint => $"{endpoint.Region} {endpoint.Interface}"))
            : $"none of that type; its services are {string.Join(", ", _services.Select(service => service.Type).Order(StringComparer.Ordinal).DefaultIfEmpty("none"))}";
        return new RbdBackupException(
            ErrorKind.NotFound,
            $"The catalogue of Keystone at {_keystone} has no {type} endpoint {region}with interface {string.Join(" or ", _options.Interfaces)}; it has: {there}.",
            "Correct [keystone] region_name and valid_interfaces, or have the endpoint made.");
    }
}
