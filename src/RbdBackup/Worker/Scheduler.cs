using System.Text;
using Microsoft.Extensions.Logging;
using RbdBackup.Composition;
using RbdBackup.Configuration;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Schedule;
using RbdBackup.Core.Servers;
using RbdBackup.Tenants;

namespace RbdBackup.Worker;

/// <summary>Asks for the backups whose turn has come, each once however many workers run: one of them has the policy's lease, and the record says up to when turns were asked for.</summary>
internal sealed partial class Scheduler(
    RbdBackupSettings settings, IImageCluster clusters, IStateStore state, Func<BackupRequest, CancellationToken, Task> ask, TimeProvider time, ILogger log,
    Func<ServerRequest, CancellationToken, Task>? askServer = null, Func<ImageSpec, string?, CancellationToken, Task<bool>>? mayAsk = null)
{
    private const string UpTo = "up_to";
    private static readonly Dictionary<string, IReadOnlyList<Member>> Nobody = [];
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    /// <summary>Runs until stopped; a pass that fails is tried again.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            await PassAsync(stop);
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    /// <summary>Asks for all turns since the last pass, of any worker, and says how many.</summary>
    public async Task<int> PassAsync(CancellationToken stop)
    {
        var asked = 0;
        foreach (var (name, policy) in settings.Policies.Where(p => p.Value.Enabled && p.Key != "none"))
        {
            try
            {
                asked += await PolicyAsync(name, policy, stop);
            }
            catch (RbdBackupException e)
            {
                // Busy: another worker is at it. Anything else comes again: the record was not moved on.
                LogFailed(name, e.Message);
            }
        }

        return asked;
    }

    private async Task<int> PolicyAsync(string name, PolicySettings policy, CancellationToken stop)
    {
        await using var lease = await state.AcquireAsync(StateKeys.Schedule(name), stop);
        var now = time.GetUtcNow();
        var records = await state.ReadAsync(lease.Name, stop);
        var last = LastOf(records, UpTo, now);
        var done = new Dictionary<string, DateTimeOffset> { [UpTo] = now };
        var rule = new ScheduleRule(policy.At, policy.Jitter, [.. policy.Days]);
        var asked = 0;
        var members = await new Members(state).ReadAsync(stop);
        IReadOnlyDictionary<string, IReadOnlyList<Member>> servers = askServer is not null && policy.Consistency is not null
            ? ServerAskPlanner.Servers(members.Where(m => m.Policy == name))
            : Nobody;
        foreach (var (server, disks) in servers)
        {
            asked += SchedulePlanner.LastTurn(rule, server, last, now, TimeZoneInfo.Local) is { } turn && await TryAskAsync(name, server, disks, turn, now, stop) ? 1 : 0;
        }

        var together = servers.Values.SelectMany(d => d).Select(d => d.Image).ToHashSet();
        foreach (var cluster in settings.AllClusters.Select(c => c.Name))
        {
            var record = cluster is null ? UpTo : $"{UpTo}.{cluster}";
            try
            {
                var images = (await ImagesAsync(name, policy, members, cluster, stop)).Where(i => !together.Contains(i.Key));
                asked += await AskAsync(name, images, image => SchedulePlanner.LastTurn(rule, image, LastOf(records, record, last), now, TimeZoneInfo.Local), now, stop);
                done[record] = now;
            }
            catch (RbdBackupException e) when (settings.Clusters.Count > 0)
            {
                // Its turns come when it can be asked; those of other clusters have come. One without a record would take the default one's, which goes on.
                LogFailed(name, e.Message);
                done[record] = LastOf(records, record, last);
            }
        }

        await lease.UpdateAsync(done.ToDictionary(r => r.Key, r => Encoding.ASCII.GetBytes(r.Value.ToString("O"))), [], stop);
        return asked;
    }

    private async Task<int> AskAsync(
        string policy, IEnumerable<KeyValuePair<ImageSpec, Member?>> images, Func<ImageSpec, DateTimeOffset?> turnOf, DateTimeOffset now, CancellationToken stop)
    {
        var asked = 0;
        foreach (var (image, member) in images)
        {
            if (turnOf(image) is { } turn && (mayAsk is null || await mayAsk(image, member?.Project, stop)))
            {
                var key = DedupKey.Of(image, "schedule", $"{policy} {turn.ToUnixTimeSeconds()}");
                var by = new AskedBy(AskedSource.Schedule, member?.Project, Proven: member?.Proven == true, Volume: member?.Proven == true ? member.Volume : null);
                await ask(BackupRequest.New(image, key, by, now) with { Policy = policy }, stop);
                asked++;
            }
        }

        return asked;
    }

    private static DateTimeOffset LastOf(IReadOnlyDictionary<string, byte[]> records, string record, DateTimeOffset otherwise) =>
        records.TryGetValue(record, out var text) && DateTimeOffset.TryParse(Encoding.ASCII.GetString(text), out var t) ? t : otherwise;

    /// <summary>Asks for a server point, where its project may have a point of each disk.</summary>
    private async Task<bool> TryAskAsync(string policy, string server, IReadOnlyList<Member> disks, DateTimeOffset turn, DateTimeOffset now, CancellationToken stop)
    {
        foreach (var disk in disks)
        {
            if (mayAsk is not null && !await mayAsk(disk.Image, disk.Project, stop))
            {
                return false;
            }
        }

        var request = new ServerRequest
        {
            DedupKey = DedupKey.OfServer(server, "schedule", $"{policy} {turn.ToUnixTimeSeconds()}"),
            Server = server,
            Policy = policy,
            AskedBy = new AskedBy(AskedSource.Schedule, disks[0].Project, Proven: true),
            Created = now,
        };
        await askServer!(request, stop);
        return true;
    }

    /// <summary>The policy's images in a cluster, each with what is remembered of it where a tenant protects it.</summary>
    private async Task<IReadOnlyDictionary<ImageSpec, Member?>> ImagesAsync(
        string name, PolicySettings policy, IReadOnlyList<Member> disks, string? inCluster, CancellationToken stop)
    {
        var members = disks.ToDictionary(m => m.Image);
        var images = policy.Image.Select(ImageSpec.Parse).Concat(members.Values.Where(m => m.Policy == name).Select(m => m.Image)).Where(i => i.Cluster == inCluster).ToHashSet();
        foreach (var text in policy.Pool.Where(p => ImageSpec.ClusterOf(p) == inCluster))
        {
            var (pool, ns) = text.Split('/') is [var p, var n] ? (p, n) : (text, "");
            images.UnionWith((await clusters.ListImagesAsync(pool, ns, stop)).Where(PoolImages.IsDisk).Select(i => new ImageSpec(pool, ns, i)));
        }

        return images.ToDictionary(i => i, i => members.GetValueOrDefault(i));
    }

    [LoggerMessage(4050, LogLevel.Information, "the schedule of policy '{Policy}' waits: {Why}")]
    private partial void LogFailed(string policy, string why);
}
