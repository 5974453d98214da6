using RbdBackup.Http;
using RbdBackup.Http.Keystone;

namespace RbdBackup.Stores;

/// <summary>Swift by Keystone: its place is in the catalogue that comes with the token.</summary>
/// <param name="options">Who we are.</param>
/// <param name="accountUrl">The account's URL, where the catalogue's is not to be taken.</param>
internal sealed class SwiftKeystone(KeystoneOptions options, string? accountUrl) : ISwiftAuthentication
{
    private readonly KeystoneIdentity _identity = new(options);

    /// <inheritdoc/>
    public string Address => _identity.Address;

    /// <inheritdoc/>
    public async Task<SwiftLogin> LogInAsync(ServiceHttp http, CancellationToken cancel)
    {
        var login = await _identity.LogInAsync(http, cancel);
        return new SwiftLogin(accountUrl ?? login.Catalog.FindEndpoint("object-store"), login.Token, login.Life);
    }
}
