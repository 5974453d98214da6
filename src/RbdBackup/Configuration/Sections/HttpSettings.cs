#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>The worker's endpoint for health and metrics.</summary>
[Section("http", "The worker's endpoint for /healthz, /readyz and /metrics. It has no authentication: think before you open it.")]
public sealed record HttpSettings
{
    [Option("127.0.0.1", "The address to listen on.")]
    public required string Host { get; init; }

    [Option("9180", "The port to listen on; 0 for any that is free.", Min = "0", Max = "65535")]
    public required int Port { get; init; }
}
