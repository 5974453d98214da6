using RbdBackup.Http.Keystone;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>How to reach a cloud. A class, not a record: its text must never show a secret.</summary>
public sealed class CloudOptions
{
    /// <summary>Who we are, and which endpoints we take.</summary>
    public required KeystoneOptions Keystone { get; init; }

    /// <summary>A PEM file with the authorities that alone may vouch for Keystone and the services; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>How often a request is tried again after a failure that may pass, each time after about twice the pause, or after as long as the service asks.</summary>
    public int Retries { get; init; } = 5;

    /// <summary>The first pause between two tries, jittered.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long one try of one request may take.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How many entries of a listing are asked for at a time; a service may give fewer.</summary>
    public int PageSize { get; init; } = 500;
}
