using System.IO.Enumeration;
using RbdBackup.Configuration;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Composition;

/// <summary>Which policies say how long a disk's points are kept, and by which rules.</summary>
internal sealed class Retention(RbdBackupSettings settings, TimeZoneInfo zone)
{
    /// <summary>
    /// The rule of a disk: of all policies that name its image; else of all that name its project; else of the policy that made its newest point, not
    /// counting those that no policy made. Of several policies all rules hold. Null, and all points stay, where that policy is not configured any
    /// more or not enabled.
    /// </summary>
    /// <param name="points">The disk's points, oldest first; at least one.</param>
    public RotationRule? RuleOf(IReadOnlyList<RotationPoint> points)
    {
        var image = Keys.ParseDisk(points[0].Disk).Image.ToString();
        var project = points.LastOrDefault(p => p.Project is not null)?.Project;
        var made = points.LastOrDefault(p => p.Policy is not null)?.Policy;
        var byImage = Named(p => p.ForImage.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, image, ignoreCase: false)));
        var byProject = Named(p => project is not null && p.ForProject.Contains(project));
        return byImage.Count > 0 ? Together(byImage)
            : byProject.Count > 0 ? Together(byProject)
            : made is null ? new RotationRule([], OfRotation(), settings.Rotation.KeepMinAge)
            : settings.Policies.TryGetValue(made, out var policy) && policy.Enabled ? Together([(made, policy)])
            : null;
    }

    /// <summary>After how many days a policy's next full is due; null: never.</summary>
    public int? FullEvery(string? policy)
    {
        var known = policy is not null ? settings.Policies.GetValueOrDefault(policy) : null;
        var cycles = (known is null ? OfRotation() : Of(known)).OfType<CycleRule>().FirstOrDefault();
        var every = known?.FullEvery ?? settings.Rotation.FullEvery;
        return cycles?.Days ?? (every > 0 ? every : null);
    }

    private List<(string Name, PolicySettings Policy)> Named(Func<PolicySettings, bool> names) =>
        [.. settings.Policies.Where(p => p.Value.Enabled && names(p.Value)).OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => (p.Key, p.Value))];

    private RotationRule Together(List<(string Name, PolicySettings Policy)> policies) => new(
        [.. policies.Select(p => p.Name)], [.. policies.SelectMany(p => Of(p.Policy)).Distinct()], policies.Max(p => p.Policy.KeepMinAge));

    private List<IRetentionRule> OfRotation()
    {
        var r = settings.Rotation;
        var keep = Keep(r.KeepLast, r.KeepHourly, r.KeepDaily, r.KeepWeekly, r.KeepMonthly, r.KeepYearly, r.KeepWithin);
        return keep.Count > 0 ? keep : [new CycleRule(r.CycleDays, r.KeepCycles)];
    }

    private List<IRetentionRule> Of(PolicySettings p)
    {
        var keep = Keep(p.KeepLast, p.KeepHourly, p.KeepDaily, p.KeepWeekly, p.KeepMonthly, p.KeepYearly, p.KeepWithin);
        return p.KeepCycles > 0 ? [new CycleRule(p.CycleDays, p.KeepCycles), .. keep]
            : keep.Count > 0 ? keep
            : [new CycleRule(p.CycleDays, settings.Rotation.KeepCycles)];
    }

    private List<IRetentionRule> Keep(int last, int hourly, int daily, int weekly, int monthly, int yearly, TimeSpan within)
    {
        (bool Set, IRetentionRule Rule)[] rules =
        [
            (last > 0, new LastRule(last)),
            (within > TimeSpan.Zero, new WithinRule(within)),
            (hourly > 0, new PeriodRule(Period.Hour, hourly, zone)),
            (daily > 0, new PeriodRule(Period.Day, daily, zone)),
            (weekly > 0, new PeriodRule(Period.Week, weekly, zone)),
            (monthly > 0, new PeriodRule(Period.Month, monthly, zone)),
            (yearly > 0, new PeriodRule(Period.Year, yearly, zone)),
        ];
        return [.. rules.Where(r => r.Set).Select(r => r.Rule)];
    }
}
