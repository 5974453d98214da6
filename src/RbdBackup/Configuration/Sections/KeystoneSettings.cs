#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>Who we are to the cloud's Keystone.</summary>
[Section("keystone", "Who we are to Keystone, by the names that every OpenStack service uses. The clients of Nova, Cinder, Glance and Keystone log in with it, and swift:// stores, unless [store] swift_auth_url is set.")]
public sealed record KeystoneSettings
{
    [Option(null, "A cloud of clouds.yaml, whose values count where this section has none.")]
    public required string? Cloud { get; init; }

    [Option(
        null,
        "How to log in: with a user's password (password and v3password are the same here) or with an application credential. Without it and cloud, OS_CLOUD or OS_AUTH_URL counts, where those are set; else Keystone is not used.",
        Choices = ["password", "v3password", "v3applicationcredential"])]
    public required string? AuthType { get; init; }

    [Option(null, "Keystone's address, such as https://keystone.example.org/v3.")]
    public required string? AuthUrl { get; init; }

    [Option(null, "The user's name; or user_id.")]
    public required string? Username { get; init; }

    [Option(null, "The user's id; it comes before the name.")]
    public required string? UserId { get; init; }

    [Option(null, "The user's domain by name. With neither name nor id it is the domain whose id is default.")]
    public required string? UserDomainName { get; init; }

    [Option(null, "The user's domain by id.")]
    public required string? UserDomainId { get; init; }

    [Option(null, "The user's password. Better in a file of its own: password_file.", Secret = true)]
    public required string? Password { get; init; }

    [Option(null, "A file whose first line is the password; mode 0640 or less.")]
    public required string? PasswordFile { get; init; }

    [Option(null, "The project's name; or project_id. An application credential has its own.")]
    public required string? ProjectName { get; init; }

    [Option(null, "The project's id; it comes before the name.")]
    public required string? ProjectId { get; init; }

    [Option(null, "The project's domain by name. With neither name nor id it is the domain whose id is default.")]
    public required string? ProjectDomainName { get; init; }

    [Option(null, "The project's domain by id.")]
    public required string? ProjectDomainId { get; init; }

    [Option(null, "The application credential's id; or its name, and then its user too.")]
    public required string? ApplicationCredentialId { get; init; }

    [Option(null, "The application credential's name.")]
    public required string? ApplicationCredentialName { get; init; }

    [Option(null, "The application credential's secret. Better in a file of its own: application_credential_secret_file.", Secret = true)]
    public required string? ApplicationCredentialSecret { get; init; }

    [Option(null, "A file whose first line is the application credential's secret; mode 0640 or less.")]
    public required string? ApplicationCredentialSecretFile { get; init; }

    [Option(null, "The region whose endpoints are taken. Without it, the first that the catalogue has.")]
    public required string? RegionName { get; init; }

    [Option("internal, public", "Which interfaces of a service may be taken, best first.", Choices = ["public", "internal", "admin"])]
    public required IReadOnlyList<string> ValidInterfaces { get; init; }

    [Option(null, "The certificates (PEM) that those of Keystone and the services are checked against. Without it, the system's.")]
    public required string? Cafile { get; init; }
}
