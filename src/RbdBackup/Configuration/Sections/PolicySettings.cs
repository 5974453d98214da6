#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>When and what to back up, and how long to keep it.</summary>
[Section(
    "policy",
    "When and what to back up, and how long to keep it. [policy:daily] with 'pool = vms' protects every image of that pool; a server or "
        + "volume chooses one with its metadata (backup_policy=NAME). The policies daily, weekly and none are there without being "
        + "written down.",
    Named = true)]
public sealed record PolicySettings
{
    [Option("true", "False stops the policy: nothing is backed up by it, and its points stay.")]
    public required bool Enabled { get; init; }

    [Option("02:00", "The time of day, in the worker's time zone (TZ).")]
    public required TimeOnly At { get; init; }

    [Option("2h", "How far an image's turn is moved from that time, either way; always the same for one image.", Max = "12h")]
    public required TimeSpan Jitter { get; init; }

    [Option("mon, tue, wed, thu, fri, sat, sun", "The days of the week.")]
    public required IReadOnlyList<DayOfWeek> Days { get; init; }

    [Option("", "All images of these pools, each written pool or pool/namespace.")]
    public required IReadOnlyList<string> Pool { get; init; }

    [Option("", "These images, each written pool/name or pool/namespace/name.")]
    public required IReadOnlyList<string> Image { get; init; }

    [Option("${rotation.cycle_days}", "The days of a cycle.", Min = "1", Max = "366")]
    public required int CycleDays { get; init; }

    [Option("${rotation.keep_cycles}", "How many cycles are kept.", Min = "1", Max = "1000")]
    public required int KeepCycles { get; init; }
}
