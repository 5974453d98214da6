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

    [Option("0", "How many of the last points are kept; 0 for no such rule. Once a keep_ rule is set, cycles count no more, unless a policy sets keep_cycles.", Min = "0", Max = "100000")]
    public required int KeepLast { get; init; }

    [Option("0", "Of how many hours that have points the newest point is kept.", Min = "0", Max = "100000")]
    public required int KeepHourly { get; init; }

    [Option("0", "Of how many days that have points the newest point is kept. Days, weeks, months and years begin in the time zone of the process (TZ).", Min = "0", Max = "100000")]
    public required int KeepDaily { get; init; }

    [Option("0", "Of how many weeks (from Monday on) that have points the newest point is kept.", Min = "0", Max = "100000")]
    public required int KeepWeekly { get; init; }

    [Option("0", "Of how many months that have points the newest point is kept.", Min = "0", Max = "100000")]
    public required int KeepMonthly { get; init; }

    [Option("0", "Of how many years that have points the newest point is kept.", Min = "0", Max = "100000")]
    public required int KeepYearly { get; init; }

    [Option("0s", "Points that are younger than this are kept; 0s for no such rule.")]
    public required TimeSpan KeepWithin { get; init; }

    [Option("0s", "Nothing that is younger than this goes, whatever the rules say. By itself it is no rule.")]
    public required TimeSpan KeepMinAge { get; init; }

    [Option("0", "After how many days a new full is made where cycles do not count; 0 for never: one full, then increments for ever.", Min = "0", Max = "3660")]
    public required int FullEvery { get; init; }

    [Option(
        "50", "Of which segments 'compact' writes again what is still shown: those of which less than this is shown, in percent. Only data that points left which are gone.",
        Min = "1", Max = "100")]
    public required int CompactBelow { get; init; }

    [Option(
        "36h",
        "How long gc waits between writing down what looks unused and deleting it. Longer than the longest job ([jobs] deadline) by an "
            + "hour at least.",
        Min = "2h")]
    public required TimeSpan Grace { get; init; }
}
