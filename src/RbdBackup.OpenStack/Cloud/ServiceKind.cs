namespace RbdBackup.OpenStack.Cloud;

/// <summary>A service: how it is found, and which of its interfaces we speak.</summary>
/// <param name="Name">Its name among people.</param>
/// <param name="Types">Its types in the catalogue, best first.</param>
/// <param name="Version">The part of its URL that names the interface.</param>
/// <param name="Needed">Its microversions; null where it has none.</param>
internal sealed record ServiceKind(string Name, IReadOnlyList<string> Types, string Version, NeededMicroversions? Needed = null)
{
    public static ServiceKind Keystone { get; } = new("Keystone", ["identity"], "v3");

    /// <summary>2.73 gives a lock its reason, 2.79 tells whether a volume goes with its server; 2.93 is what this was written and tested against.</summary>
    public static ServiceKind Nova { get; } = new("Nova", ["compute"], "v2.1", new("compute", new(2, 79), new(2, 93), "Train"));

    /// <summary>3.44 completes attachments; 3.59 is of the same release as Nova's floor; 3.70 is what this was written and tested against.</summary>
    public static ServiceKind Cinder { get; } = new("Cinder", ["block-storage", "volumev3"], "v3", new("volume", new(3, 59), new(3, 70), "Train")) { ProjectInPath = true };

    public static ServiceKind Glance { get; } = new("Glance", ["image"], "v2");

    public static ServiceKind Neutron { get; } = new("Neutron", ["network"], "v2.0");

    /// <summary>True where the project's id follows the version.</summary>
    public bool ProjectInPath { get; init; }
}

/// <summary>Which microversions we can speak.</summary>
/// <param name="Word">What the header calls the service.</param>
/// <param name="Floor">The oldest that has what we need.</param>
/// <param name="Newest">The newest that we know.</param>
/// <param name="Release">The OpenStack release that has the oldest, for people.</param>
internal sealed record NeededMicroversions(string Word, Microversion Floor, Microversion Newest, string Release);
