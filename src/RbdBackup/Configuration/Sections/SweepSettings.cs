#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>How what releases left behind is found.</summary>
[Section("sweep", "How what a release that came too late has left behind is found: our snapshots on what its cloud has deleted. Servers' disks need [keystone].")]
public sealed record SweepSettings
{
    [Option("10m", "How often a worker looks.", Min = "1s", Max = "1d")]
    public required TimeSpan Interval { get; init; }

    [Option("1h", "How long after its release the disk of a deleted server stays where it is, before it goes to the trash.", Min = "0s", Max = "365d")]
    public required TimeSpan Grace { get; init; }

    [Option("7d", "How long the trash keeps it.", Min = "0s", Max = "365d")]
    public required TimeSpan TrashDeferment { get; init; }
}
