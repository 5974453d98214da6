using RbdBackup.Http.Keystone;

namespace RbdBackup.Stores;

/// <summary>How to reach a Swift service. A class, not a record: its text must never show a key.</summary>
public sealed class SwiftOptions
{
    /// <summary>Who we are to Keystone; null with Swift's own authentication.</summary>
    public KeystoneOptions? Keystone { get; init; }

    /// <summary>Where Swift's own authentication (v1) is, such as <c>https://rgw.example.org/auth/v1.0</c>; it comes before <see cref="Keystone"/>.</summary>
    public string? AuthUrl { get; init; }

    /// <summary>The user of Swift's own authentication, as <c>account:user</c>.</summary>
    public string? User { get; init; }

    /// <summary>The user's key.</summary>
    public string? Key { get; init; }

    /// <summary>The account's URL, such as <c>https://swift.example.org/v1/AUTH_1234</c>, where the one that a login gives is not to be taken.</summary>
    public string? AccountUrl { get; init; }

    /// <summary>A PEM file with the authorities that alone may vouch for the service and for Keystone; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>How often a request is tried again after a failure that may pass, each time after about twice the pause, or after as long as the service asks.</summary>
    public int Retries { get; init; } = 6;

    /// <summary>The first pause between two tries, jittered.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long one try of one request may take, its data included.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromMinutes(5);
}
