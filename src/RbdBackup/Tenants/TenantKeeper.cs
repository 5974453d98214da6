using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Worker;

namespace RbdBackup.Tenants;

/// <summary>
/// Looks at one server, volume, Cinder snapshot or image of a server: asks Nova and Cinder, plans, and carries the plan out. A look may be repeated at any time; one look at a
/// subject at a time, whichever worker does it, so that the last one to ask Nova is the last one to write.
/// </summary>
internal sealed partial class TenantKeeper(
    CoveragePlanner planner, MeaningOptions words, IReadOnlyDictionary<string, PolicySettings> policies, LiveView live, Members members, TenantRecords records, ProjectGate gate,
    Func<BackupRequest, CancellationToken, Task> ask, Func<ServerRequest, CancellationToken, Task> askServer, Action<string> statusChanged, TimeProvider time, ILogger log)
{
    /// <summary>Looks at a subject, and does what follows.</summary>
    /// <returns>What Nova or Cinder say of it; null where nobody can say now, and of a snapshot.</returns>
    /// <exception cref="RbdBackupException">Keystone, Nova, Cinder, Ceph or the broker did not answer: it is looked at again by the next pass.</exception>
    public async Task<Survey?> LookAsync(Subject subject, CancellationToken cancel)
    {
        await using var lease = await records.LeaseAsync(subject, cancel);
        var record = await records.ReadAsync(subject, cancel);
        if (subject.AsksOnce)
        {
            var next = await (subject.Kind == SubjectKind.Snapshot ? SnapshotAsync(subject, record, cancel) : ImageAsync(subject, record, cancel));
            Checkpoints.Pass("tenants.asked");
            await TenantRecords.WriteAsync(lease, subject, next, cancel);
            return null;
        }

        var known = await members.ReadAllAsync(cancel);
        if (await PlanAsync(subject, record, known, live, cancel) is not { } planned)
        {
            return null;
        }

        var (seen, plan) = planned;
        if (plan.IsNews)
        {
            var (asks, whole) = ServerAskPlanner.Split(seen, plan.Asks, policies);
            var refused = await AskAsync(asks, cancel);
            refused = whole is null ? refused : await AskAsync(whole, cancel) ?? refused;
            Checkpoints.Pass("tenants.asked");
            foreach (var member in plan.Members)
            {
                await members.WriteAsync(member, cancel);
                LogMember(member, known.GetValueOrDefault(member.Image));
            }

            Checkpoints.Pass("tenants.members");
            var after = refused is null ? plan.Record : plan.Record! with { Refused = $"{time.GetUtcNow():yyyy-MM-ddTHH:mm:ssZ}: {refused}" };
            LogChanges(subject, record, after);
            await TenantRecords.WriteAsync(lease, subject, after, cancel);
            if (subject.Kind == SubjectKind.Server)
            {
                statusChanged(subject.Id);
            }
        }

        return seen;
    }

    /// <summary>What a look would do; null where nobody can say now.</summary>
    /// <param name="subject">A server or volume.</param>
    /// <param name="record">What is remembered of it.</param>
    /// <param name="known">All disks that are or were protected.</param>
    /// <param name="cloud">What there is.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async Task<(Survey Seen, TenantPlan Plan)?> PlanAsync(
        Subject subject, Asking? record, IReadOnlyDictionary<ImageSpec, Member> known, ICloudView cloud, CancellationToken cancel)
    {
        var seen = subject.Kind == SubjectKind.Server ? await ServerAsync(subject, known, cloud, cancel) : await VolumeAsync(subject, cloud, cancel);
        if (seen is null)
        {
            return null;
        }

        if (seen.Project is not null && (seen.Asks || seen.Disks.Any(d => d.Fate == Fate.Protected)) && await gate.WhyNotAsync(seen.Project, cancel) is { } why)
        {
            seen = seen.RefusedFor(why);
        }

        seen = seen with { Disks = await ExistingAsync(seen, known, cloud, all: seen.Now is not null && seen.Now != record?.Now, cancel) };
        return (seen, TenantPlanner.Plan(seen, record, known));
    }

    private async Task<Survey?> ServerAsync(Subject subject, IReadOnlyDictionary<ImageSpec, Member> known, ICloudView cloud, CancellationToken cancel)
    {
        var server = await cloud.ServerAsync(subject.Id, cancel);
        if (server is { IsUnknown: true })
        {
            return null;
        }

        var disks = server is null ? [] : await DisksOfServerAsync(server, known, cloud, cancel);
        var volumes = known.Values.Where(m => m.Server == subject.Id).Select(m => m.Volume).Concat(server?.Volumes?.Select(v => v.Id) ?? []).OfType<string>().ToHashSet();
        foreach (var id in volumes.Order(StringComparer.Ordinal))
        {
            disks.AddRange(await DisksOfVolumeAsync(await cloud.VolumeAsync(id, cancel), server, cloud, cancel));
        }

        // Another project's volume is that project's to ask for, and a look at the volume itself says what becomes of it.
        var own = disks.Select(d => server is null || d.Project == server.ProjectId ? d : d with { Fate = Fate.Unknown, Why = "another project's" });
        return new Survey(
            subject, server?.ProjectId, server?.Metadata?.GetValueOrDefault(words.PolicyKey), server?.Metadata?.GetValueOrDefault(words.NowKey), [.. own])
        {
            Problem = planner.ChoiceOf(server?.Metadata).Problem,
            Volumes = volumes,
        };
    }

    /// <summary>Nova's own disks of a server. Where its root disk is not where it is looked for, what was protected elsewhere and is still there stays so: a wrong name of a host ends nothing.</summary>
    private async Task<List<Disk>> DisksOfServerAsync(Server server, IReadOnlyDictionary<ImageSpec, Member> known, ICloudView cloud, CancellationToken cancel)
    {
        var (images, place) = (await cloud.ImagesOfServerAsync(server, cancel), await cloud.PlaceOfServerAsync(server, cancel));
        var disks = planner.OfServer(server, images).ToList();
        var root = CoveragePlanner.MissingOf(server, images, place);
        var stays = root is not null && planner.ChoiceOf(server.Metadata).Active is not null;
        foreach (var missing in known.Values.Where(m => m.Server == server.Id && m.Volume is null && m.Policy is not null && disks.All(d => d.Image != m.Image)).ToList())
        {
            var isElsewhere = !place.Pools.Contains(missing.Image.Pool);
            if (isElsewhere && !stays)
            {
                continue;
            }

            // Where its cluster can't be asked this fails, and the look with it: what is only out of sight stays protected.
            if (await cloud.HasImageAsync(missing.Image, cancel) && isElsewhere)
            {
                disks.Add(new Disk(DiskKind.Server, server.Id, server.Id, server.ProjectId, missing.Image, Fate.Unknown));
            }
        }

        return root is null ? disks : [.. disks, root];
    }

    private async Task<Survey?> VolumeAsync(Subject subject, ICloudView cloud, CancellationToken cancel)
    {
        var volume = await cloud.VolumeAsync(subject.Id, cancel);
        var disks = await DisksOfVolumeAsync(volume, null, cloud, cancel);
        return disks is [{ Fate: Fate.Unknown }]
            ? null
            : new Survey(subject, volume?.ProjectId, volume?.Metadata.GetValueOrDefault(words.PolicyKey), volume?.Metadata.GetValueOrDefault(words.NowKey), disks)
            {
                Problem = planner.ChoiceOf(volume?.Metadata).Problem,
                Volumes = [subject.Id],
            };
    }

    private async Task<IReadOnlyList<Disk>> DisksOfVolumeAsync(Volume? volume, Server? known, ICloudView cloud, CancellationToken cancel)
    {
        if (volume is null)
        {
            return [];
        }

        var servers = new List<Server>();
        foreach (var id in volume.Attachments.Select(a => a.ServerId).OfType<string>().Distinct())
        {
            if ((id == known?.Id ? known : await cloud.ServerAsync(id, cancel)) is { } server)
            {
                servers.Add(server);
            }
        }

        return planner.OfVolume(volume, servers) is { } disk ? [disk] : [];
    }

    /// <summary>Cinder has volumes on other backends than Ceph too; those that are protected already are known to be there.</summary>
    /// <param name="seen">What was seen.</param>
    /// <param name="known">All disks that are or were protected.</param>
    /// <param name="cloud">What there is.</param>
    /// <param name="all">True where those count too that have no policy: a backup of them is asked for.</param>
    /// <param name="cancel">Ends the wait.</param>
    private static async Task<IReadOnlyList<Disk>> ExistingAsync(
        Survey seen, IReadOnlyDictionary<ImageSpec, Member> known, ICloudView cloud, bool all, CancellationToken cancel)
    {
        var disks = new List<Disk>();
        foreach (var disk in seen.Disks)
        {
            var matters = disk.Kind == DiskKind.Volume && (all || disk.Fate == Fate.Protected) && known.GetValueOrDefault(disk.Image)?.Policy is null;
            disks.Add(matters && !await cloud.HasImageAsync(disk.Image, cancel) ? disk.NotFound($"no image {disk.Image.Name} in pool {disk.Image.Pool}") : disk);
        }

        return disks;
    }

    /// <summary>Asks for what a project may still have; returns why something was refused.</summary>
    private async Task<string?> AskAsync(IEnumerable<PlannedAsk> asks, CancellationToken cancel)
    {
        string? refused = null;
        foreach (var planned in asks)
        {
            if (await gate.WhyNoMoreAsync(planned.Disk.Project, cancel) is { } why)
            {
                refused = why;
                LogRefused(planned.Disk.Image, planned.Disk.Project, why);
                continue;
            }

            await ask(Request(planned.Disk, planned.Key) with { Policy = planned.Policy }, cancel);
        }

        return refused;
    }

    /// <summary>Asks for a server point, where its project may have a point of each of the disks; returns why it was refused.</summary>
    private async Task<string?> AskAsync(PlannedServerAsk planned, CancellationToken cancel)
    {
        foreach (var disk in planned.Disks)
        {
            if (await gate.WhyNoMoreAsync(planned.Project, cancel) is { } why)
            {
                LogRefused(disk.Image, planned.Project, why);
                return why;
            }
        }

        var request = new ServerRequest
        {
            DedupKey = planned.Key,
            Server = planned.Server,
            Policy = planned.Policy,
            AskedBy = new AskedBy(AskedSource.Notification, planned.Project, Proven: true),
            Created = time.GetUtcNow(),
        };
        await askServer(request, cancel);
        return null;
    }

    /// <summary>A snapshot is backed up once, when it is first seen to ask; the record stays as long as the snapshot does.</summary>
    private async Task<Asking?> SnapshotAsync(Subject subject, Asking? record, CancellationToken cancel)
    {
        var snapshot = await live.SnapshotAsync(subject.Id, cancel);
        if (snapshot is null || record is not null || snapshot.Status != "available" || !words.AsksForSnapshot(snapshot.Metadata))
        {
            return snapshot is null ? null : record;
        }

        var disk = await live.VolumeAsync(snapshot.VolumeId, cancel) is { } volume ? planner.OfVolume(volume, []) : null;
        var why = disk is null ? "its volume is gone"
            : disk.Fate == Fate.Impossible ? disk.Why
            : snapshot.ProjectId != disk.Project ? "its volume is another project's"
            : await gate.WhyNotAsync(disk.Project, cancel)
                ?? (await live.HasImageAsync(disk.Image, cancel) ? await gate.WhyNoMoreAsync(disk.Project, cancel) : $"no image {disk.Image.Name} in pool {disk.Image.Pool}");
        if (why is null)
        {
            var request = Request(disk!, DedupKey.Of(disk!.Image, "snapshot", subject.Id));
            await ask(request with { Snapshot = words.SnapshotName(Guid.ParseExact(subject.Id, "D")) }, cancel);
        }
        else
        {
            LogSnapshotRefused(subject.Id, why);
        }

        return new Asking { Now = snapshot.Metadata[words.SnapshotKey], Nows = 1, Refused = why };
    }

    private BackupRequest Request(Disk disk, DedupKey key) =>
        BackupRequest.New(
            disk.Image, key, new AskedBy(AskedSource.Notification, disk.Project, Proven: true, Volume: disk.Kind == DiskKind.Volume ? disk.Id : null), time.GetUtcNow());

    private void LogMember(Member member, Member? before)
    {
        if (member.Policy is not null && member.Policy != before?.Policy)
        {
            LogProtected(member.Image, member.Policy, member.Project);
        }
        else if (member.Policy is null && before?.Policy is not null)
        {
            LogUnprotected(member.Image);
        }
    }

    private void LogChanges(Subject subject, Asking? before, Asking? after)
    {
        if (after?.Problem is { } problem && problem != before?.Problem)
        {
            LogProblem(subject, problem);
        }

        foreach (var skipped in after?.Skipped.Except(before?.Skipped ?? []) ?? [])
        {
            if (skipped.Detail is null)
            {
                LogSkipped(skipped.Image, skipped.Why);
            }
            else
            {
                LogNotFound(skipped.Image, skipped.Detail);
            }
        }
    }

    [LoggerMessage(4100, LogLevel.Information, "{Image} is protected by policy '{Policy}' from now on (project {Project})")]
    private partial void LogProtected(ImageSpec image, string policy, string? project);

    [LoggerMessage(4101, LogLevel.Information, "{Image} is protected no longer; its points stay as long as their policy keeps them")]
    private partial void LogUnprotected(ImageSpec image);

    [LoggerMessage(4102, LogLevel.Information, "{Image} is skipped: {Why}")]
    private partial void LogSkipped(string image, string why);

    [LoggerMessage(4107, LogLevel.Warning, "{Image} is skipped: {Why}")]
    private partial void LogNotFound(string image, string why);

    [LoggerMessage(4103, LogLevel.Warning, "{Subject} asks for backups and gets none: {Why}")]
    private partial void LogProblem(Subject subject, string why);

    [LoggerMessage(4104, LogLevel.Warning, "a backup of {Image} is refused to project {Project}: {Why}")]
    private partial void LogRefused(ImageSpec image, string project, string why);

    [LoggerMessage(4105, LogLevel.Warning, "the backup of Cinder's snapshot {Snapshot} is refused: {Why}")]
    private partial void LogSnapshotRefused(string snapshot, string why);
}
