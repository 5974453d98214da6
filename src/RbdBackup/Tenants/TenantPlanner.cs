using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;
using RbdBackup.OpenStack;
using RbdBackup.Worker;

namespace RbdBackup.Tenants;

/// <summary>A backup to ask for.</summary>
/// <param name="Disk">Of which disk.</param>
/// <param name="Policy">By which policy; null for none.</param>
/// <param name="Key">Equal whenever the same wish is found again.</param>
internal sealed record PlannedAsk(Disk Disk, string? Policy, DedupKey Key);

/// <summary>What to do after a look at a server or volume.</summary>
/// <param name="Asks">The backups to ask for; they go out first, so that a worker that dies asks again, by the same keys.</param>
/// <param name="Members">The disks whose protection changes.</param>
/// <param name="Record">What to remember; null for nothing.</param>
/// <param name="IsNews">True where anything of this is to be written or sent.</param>
internal sealed record TenantPlan(IReadOnlyList<PlannedAsk> Asks, IReadOnlyList<Member> Members, Asking? Record, bool IsNews);

/// <summary>Compares what Nova or Cinder say with what is remembered. Pure.</summary>
internal static class TenantPlanner
{
    /// <summary>The plan for what was seen.</summary>
    /// <param name="seen">What was seen.</param>
    /// <param name="record">What was remembered of it; null for nothing.</param>
    /// <param name="members">All disks that are or were protected.</param>
    public static TenantPlan Plan(Survey seen, Asking? record, IReadOnlyDictionary<ImageSpec, Member> members)
    {
        var joined = seen.Disks.Where(d => d.Fate == Fate.Protected).Select(d => Joined(d, members.GetValueOrDefault(d.Image))).ToList();
        var asksNow = seen.Now is not null && seen.Now != record?.Now;
        var nows = (record?.Nows ?? 0) + (asksNow ? 1 : 0);
        var now = asksNow ? seen.Disks.Where(d => CanBeNow(seen, d)).ToList() : [];
        PlannedAsk[] asks =
        [
            .. joined.Where(j => j.IsNew).Select(j => new PlannedAsk(j.Disk, j.Member.Policy, DedupKey.Of(j.Disk.Image, "policy", $"{j.Member.Policy} {j.Member.Times}"))),
            // A disk's first backup answers a wish for one now, too.
            .. now.Where(d => !joined.Any(j => j.IsNew && j.Disk == d)).Select(d => new PlannedAsk(d, d.Policy, DedupKey.Of(d.Image, "now", $"{seen.Subject.Key} {nows} {seen.Now}"))),
        ];
        Member[] changed =
        [
            .. joined.Where(j => j.Member != members.GetValueOrDefault(j.Disk.Image)).Select(j => j.Member),
            .. Left(seen, members),

            // A disk that is backed up without a policy is remembered too, so that its server can be told how that ended.
            .. now.Where(d => d.Policy is null).Select(d => New(d, members.GetValueOrDefault(d.Image))).Where(m => m != members.GetValueOrDefault(m.Image)),
        ];
        var next = Next(seen, record, nows);
        return new TenantPlan(asks, changed, next, asks.Length > 0 || changed.Length > 0 || Differs(record, next));
    }

    /// <summary>The wishes for a server's disks that something makes by being there once.</summary>
    /// <param name="server">The server.</param>
    /// <param name="by">What asks.</param>
    public static IReadOnlyList<PlannedAsk> OnceFor(Survey server, Subject by) =>
        [.. server.Disks.Where(d => CanBeNow(server, d)).Select(d => new PlannedAsk(d, d.Policy, DedupKey.Of(d.Image, "image", by.Id)))];

    private static (Disk Disk, Member Member, bool IsNew) Joined(Disk disk, Member? known)
    {
        var isNew = known?.Policy != disk.Policy;
        var member = New(disk, known);
        return (disk, isNew ? member with { Times = member.Times + 1 } : member, isNew);
    }

    private static Member New(Disk disk, Member? known) => new(disk.Image, disk.Policy, disk.Project)
    {
        Server = disk.Server,
        Volume = disk.Kind == DiskKind.Volume ? disk.Id : null,
        ByServer = disk.ByServer,
        Times = known?.Times ?? 0,
        Proven = true,
    };

    /// <summary>Its disks that are protected no longer; those of which nobody knows stay.</summary>
    private static IEnumerable<Member> Left(Survey seen, IReadOnlyDictionary<ImageSpec, Member> members)
    {
        var stay = seen.Disks.Where(d => d.Fate is Fate.Protected or Fate.Unknown).Select(d => d.Image).ToHashSet();
        return members.Values
            .Where(m => m.Policy is not null && !stay.Contains(m.Image))
            .Where(m => m.Volume is null ? seen.Subject.Kind == SubjectKind.Server && m.Server == seen.Subject.Id : seen.Volumes.Contains(m.Volume))
            .Select(m => m with { Policy = null, ByServer = false });
    }

    /// <summary>Who asks for a backup of a volume itself means it, even where the volume leaves itself out of its server's.</summary>
    private static bool CanBeNow(Survey seen, Disk disk) =>
        disk.Project == seen.Project
        && (disk.Fate is Fate.Protected or Fate.Unasked || (disk.Fate == Fate.LeftOut && seen.Subject.Kind == SubjectKind.Volume));

    private static Asking? Next(Survey seen, Asking? record, int nows)
    {
        // The record stays where its status has to be taken away, and where the same value of the key may come again, which is then a new one.
        if (seen.Project is null || (!seen.Asks && record?.Status is null && nows == 0))
        {
            return null;
        }

        var here = seen.Disks.Select(d => d.Image.ToString()).ToHashSet();
        return (record ?? new Asking()) with
        {
            Policy = seen.Policy,
            Now = seen.Now,
            Nows = nows,
            Problem = seen.Problem,
            Refused = seen.Asks ? record?.Refused : null,
            Covered = [.. seen.Disks.Where(d => d.Fate == Fate.Protected).Select(d => d.Image.ToString())],
            Skipped =
            [
                .. seen.Disks.Where(d => d.Why is not null && d.Fate != Fate.Unknown && (seen.Policy is not null || (seen.Asks && d.Detail is not null)))
                    .Select(d => new Skipped(d.Image.ToString(), d.Why!, d.Detail)),
            ],
            Results = (record?.Results ?? new Dictionary<string, DiskResult>()).Where(r => here.Contains(r.Key)).ToDictionary(),
        };
    }

    private static bool Differs(Asking? before, Asking? after) =>
        before is null || after is null
            ? before is not null || after is not null
            : before with { Covered = [], Skipped = [], Results = after.Results } != after with { Covered = [], Skipped = [] }
                || !before.Covered.SequenceEqual(after.Covered) || !before.Skipped.SequenceEqual(after.Skipped) || before.Results.Count != after.Results.Count;
}
