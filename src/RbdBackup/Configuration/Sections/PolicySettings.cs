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

    [Option(
        null,
        "Where it is set, workers make server points of the servers that name this policy, all disks at one moment: crash (snapshots as near to each other as can be), paused (the guest is paused meanwhile), or frozen (its file systems are frozen by the QEMU "
        + "agent; needs [backup] libvirt_uri). Where it can't be had the point is made all the same, and says why. "
        + "Not set: workers back up each disk at its own hour, and a command's server points are crash.",
        Choices = ["crash", "paused", "frozen"])]
    public required string? Consistency { get; init; }

    [Option("${rotation.cycle_days}", "The days of a cycle.", Min = "1", Max = "366")]
    public required int CycleDays { get; init; }

    [Option(null, "How many cycles are kept. Not set: those of [rotation] where no keep_ rule is set, else cycles do not count.", Min = "1", Max = "1000")]
    public required int KeepCycles { get; init; }

    [Option("${rotation.keep_last}", "How many of the last points are kept; 0 for no such rule.", Min = "0", Max = "100000")]
    public required int KeepLast { get; init; }

    [Option("${rotation.keep_hourly}", "Of how many hours that have points the newest point is kept.", Min = "0", Max = "100000")]
    public required int KeepHourly { get; init; }

    [Option("${rotation.keep_daily}", "Of how many days that have points the newest point is kept.", Min = "0", Max = "100000")]
    public required int KeepDaily { get; init; }

    [Option("${rotation.keep_weekly}", "Of how many weeks that have points the newest point is kept.", Min = "0", Max = "100000")]
    public required int KeepWeekly { get; init; }

    [Option("${rotation.keep_monthly}", "Of how many months that have points the newest point is kept.", Min = "0", Max = "100000")]
    public required int KeepMonthly { get; init; }

    [Option("${rotation.keep_yearly}", "Of how many years that have points the newest point is kept.", Min = "0", Max = "100000")]
    public required int KeepYearly { get; init; }

    [Option("${rotation.keep_within}", "Points that are younger than this are kept; 0s for no such rule.")]
    public required TimeSpan KeepWithin { get; init; }

    [Option("${rotation.keep_min_age}", "Nothing that is younger than this goes, whatever the rules say.")]
    public required TimeSpan KeepMinAge { get; init; }

    [Option("${rotation.full_every}", "After how many days a new full is made where cycles do not count; 0 for never.", Min = "0", Max = "3660")]
    public required int FullEvery { get; init; }

    [Option("", "The points of these images are kept by this policy, whichever made them: pool/name, with * and ? for any characters.")]
    public required IReadOnlyList<string> ForImage { get; init; }

    [Option("", "The points of these OpenStack projects' disks are kept by this policy, whichever made them: ids.")]
    public required IReadOnlyList<string> ForProject { get; init; }
}
