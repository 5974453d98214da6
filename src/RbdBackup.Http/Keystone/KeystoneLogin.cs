namespace RbdBackup.Http.Keystone;

/// <summary>A token, and what it is good for. A class, not a record: its text must never show the token.</summary>
public sealed class KeystoneLogin : ILogin
{
    internal KeystoneLogin(string secret, KeystoneToken token, ServiceCatalog catalog)
    {
        Token = secret;
        ProjectId = token.Project?.Id;
        Life = token.ExpiresAt - token.IssuedAt;
        Catalog = catalog;
    }

    /// <summary>What each request carries as X-Auth-Token.</summary>
    public string Token { get; }

    /// <summary>The project that we work in; null for a token without one.</summary>
    public string? ProjectId { get; }

    /// <inheritdoc/>
    public TimeSpan? Life { get; }

    /// <summary>Where the services are.</summary>
    public ServiceCatalog Catalog { get; }
}
