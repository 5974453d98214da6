#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>How long points are kept.</summary>
[Section("rotation", "How long points are kept where no policy says otherwise, and how data is collected.")]
public sealed record RotationSettings
{
    [Option("3", "The days of a cycle: a full, then increments, then a new full begins the next cycle.", Min = "1", Max = "366")]
    public required int CycleDays { get; init; }

    [Option("2", "How many cycles are kept. 1 drops a cycle as soon as the next full is committed.", Min = "1", Max = "1000")]
    public required int KeepCycles { get; init; }

    [Option(
        "36h",
        "How long gc waits between writing down what looks unused and deleting it. Longer than the longest job ([jobs] deadline) by an "
            + "hour at least.",
        Min = "2h")]
    public required TimeSpan Grace { get; init; }
}
