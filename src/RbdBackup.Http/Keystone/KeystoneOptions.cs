namespace RbdBackup.Http.Keystone;

/// <summary>Who we are to Keystone, and which of a service's endpoints we take. A class, not a record: its text must never show a secret.</summary>
public sealed class KeystoneOptions
{
    /// <summary>Keystone's URL, with or without <c>/v3</c>.</summary>
    public required string AuthUrl { get; init; }

    /// <summary>A user's name, in <see cref="UserDomainName"/> or <see cref="UserDomainId"/>; null with <see cref="UserId"/> or an application credential's id.</summary>
    public string? Username { get; init; }

    /// <summary>A user's id.</summary>
    public string? UserId { get; init; }

    /// <summary>The user's domain by name.</summary>
    public string? UserDomainName { get; init; }

    /// <summary>The user's domain by id; it comes before the name. With neither it is Keystone's domain <c>default</c>.</summary>
    public string? UserDomainId { get; init; }

    /// <summary>The user's password; null with an application credential.</summary>
    public string? Password { get; init; }

    /// <summary>The project's name, in <see cref="ProjectDomainName"/> or <see cref="ProjectDomainId"/>. An application credential has its own.</summary>
    public string? ProjectName { get; init; }

    /// <summary>The project's id; it comes before the name.</summary>
    public string? ProjectId { get; init; }

    /// <summary>The project's domain by name.</summary>
    public string? ProjectDomainName { get; init; }

    /// <summary>The project's domain by id; it comes before the name. With neither it is Keystone's domain <c>default</c>.</summary>
    public string? ProjectDomainId { get; init; }

    /// <summary>An application credential's id.</summary>
    public string? ApplicationCredentialId { get; init; }

    /// <summary>An application credential's name, which only with its user is unique.</summary>
    public string? ApplicationCredentialName { get; init; }

    /// <summary>An application credential's secret; null to log in with <see cref="Password"/>.</summary>
    public string? ApplicationCredentialSecret { get; init; }

    /// <summary>The region whose endpoint is taken; null for the first that the catalogue has.</summary>
    public string? RegionName { get; init; }

    /// <summary>The interfaces that may be taken (<c>public</c>, <c>internal</c>, <c>admin</c>), best first.</summary>
    public IReadOnlyList<string> Interfaces { get; init; } = ["public"];
}
