#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>The key of a sealed repository.</summary>
[Section(
    "encryption",
    "The key of a sealed repository. With one, a new repository is sealed before it leaves this host, and only a sealed one is opened; without, only one "
        + "that is not. The key is 32 random bytes ('openssl rand -hex 32'), in hexadecimal or base64, or a passphrase of 12 characters or more. Keep a copy of it elsewhere.")]
public sealed record EncryptionSettings
{
    [Option(null, "A file that holds the key and nothing else; mode 0640 or less. Only one of key_file, key_env and key_command may be set.")]
    public required string? KeyFile { get; init; }

    [Option(null, "The name of an environment variable that holds the key.")]
    public required string? KeyEnv { get; init; }

    [Option(null, "A command that prints the key, as of a vault. It is run by /bin/sh, once each time that a repository is opened, for a minute at most.")]
    public required string? KeyCommand { get; init; }
}
