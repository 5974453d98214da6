#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>How images are written, and what becomes of those they replace.</summary>
[Section("restore", "How images are written, and what becomes of the images that they replace.")]
public sealed record RestoreSettings
{
    [Option("16", "How many writes to one image are under way at a time.", Min = "1", Max = "256")]
    public required int WritesInFlight { get; init; }

    [Option("7d", "How long a replaced image stays in the RBD trash, from where restore --undo brings it back.", Min = "0s", Max = "52w")]
    public required TimeSpan TrashDeferment { get; init; }

    [Option(
        "true",
        "Whether workers fill the new volumes of tenants that ask for it with their metadata (docs/tenants.md). It needs [keystone] and the "
            + "keyring of [ceph] restore_user.")]
    public required bool ForTenants { get; init; }

    [Option("2m", "How often a worker looks at all volumes for those that ask to be filled. With notifications it hears of them at once.", Min = "1s", Max = "1d")]
    public required TimeSpan VolumesInterval { get; init; }
}
