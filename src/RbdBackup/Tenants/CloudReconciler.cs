using System.Text;
using Microsoft.Extensions.Logging;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Messaging;
using RbdBackup.OpenStack;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Servers;
using RbdBackup.Worker;

namespace RbdBackup.Tenants;

/// <summary>
/// Compares all servers, volumes and Cinder snapshots with what is protected: at start, every few minutes, when a broker is back (what it held is lost), and
/// when a look failed. All that notifications do it does too, only later. One worker at a time.
/// </summary>
internal sealed partial class CloudReconciler(
    OpenStackCloud cloud, IImageCluster cluster, IStateStore state, CoveragePlanner planner, MeaningOptions words, LiveView live, ServerPools serverPools, Members members, TenantRecords records,
    TenantKeeper keeper, ServerImages? images, TimeSpan interval, TimeProvider time, ILogger log)
{
    private const string Begun = "begun";
    private const int Looks = 4;
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(15);
    private long _wakeAt = long.MaxValue;

    /// <summary>Has a pass made in a while: a look failed, and what asked for it is settled.</summary>
    public void Wake() => Interlocked.Exchange(ref _wakeAt, (time.GetUtcNow() + RetryDelay).Ticks);

    /// <summary>Runs until stopped.</summary>
    /// <param name="links">How the links to the brokers are.</param>
    /// <param name="stop">Ends it.</param>
    public async Task RunAsync(Func<IEnumerable<LinkStatus>> links, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Tick, time);
        var (next, began) = (time.GetUtcNow(), DateTimeOffset.MinValue);
        var isDue = true;
        do
        {
            // What a broker told before its link was there, and what it held when that was lost, nobody heard.
            var now = time.GetUtcNow();
            isDue |= links().Any(l => l.State == LinkState.Connected && l.Since > began);
            isDue |= now.Ticks >= Interlocked.Read(ref _wakeAt);
            if (isDue || now >= next)
            {
                Interlocked.Exchange(ref _wakeAt, long.MaxValue);
                began = now;
                var isDone = await TryPassAsync(mayBeRecent: !isDue, stop);
                next = now + interval;
                isDue = false;
                if (!isDone)
                {
                    Wake();
                }
            }
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    /// <summary>One pass over the whole cloud; false where it has to come again soon.</summary>
    public async Task<bool> TryPassAsync(bool mayBeRecent, CancellationToken stop)
    {
        try
        {
            await using var lease = await state.AcquireAsync(StateKeys.Tenants, stop);
            await (images is null ? Task.CompletedTask : images.BeginAsync(lease, stop));
            if (mayBeRecent && await WasJustBegunAsync(stop))
            {
                return true;
            }

            await lease.UpdateAsync(new Dictionary<string, byte[]> { [Begun] = Encoding.ASCII.GetBytes(time.GetUtcNow().ToString("O")) }, [], stop);
            using var held = CancellationTokenSource.CreateLinkedTokenSource(stop, lease.Lost);
            return await PassAsync(held.Token);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy)
        {
            return true;
        }
        catch (RbdBackupException e)
        {
            LogFailed(e.Message, e.Remedy);
            return false;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            LogFailed("its lease was lost", null);
            return false;
        }
    }

    private async Task<bool> WasJustBegunAsync(CancellationToken cancel) =>
        (await state.ReadAsync(StateKeys.Tenants, cancel)).TryGetValue(Begun, out var text)
        && DateTimeOffset.TryParse(Encoding.ASCII.GetString(text), out var at) && time.GetUtcNow() - at is var ago && ago > TimeSpan.Zero && ago < interval * 0.9;

    private async Task<bool> PassAsync(CancellationToken cancel)
    {
        var from = time.GetTimestamp();
        var known = await members.ReadAllAsync(cancel);
        var asked = await records.ReadAllAsync(cancel);
        var seen = new ListedView(live, cluster, serverPools);
        var subjects = asked.Keys.ToHashSet();
        foreach (var member in known.Values.Where(m => m.Policy is not null))
        {
            subjects.UnionWith(Of(member));
        }

        var servers = await ListServersAsync(seen, subjects, cancel);
        var volumes = await ListVolumesAsync(seen, subjects, cancel);
        var news = await ListSnapshotsAsync(asked, cancel);
        news.AddRange(images is null ? [] : await images.NewsAsync(null, asked, cancel));
        var failed = 0;
        foreach (var subject in subjects.Where(s => !s.AsksOnce))
        {
            try
            {
                if (IsMissing(subject, seen) || await IsNewsAsync(subject, asked, known, seen, cancel))
                {
                    news.Add(subject);
                }
            }
            catch (RbdBackupException e)
            {
                // Its disks' cluster can't be asked; others' can.
                failed++;
                LogLookFailed(subject, e.Message);
            }
        }

        failed += await LookAsync(news, cancel);
        await ForgetAsync(seen, cancel);
        LogPassed(servers, volumes, news.Count, failed, time.GetElapsedTime(from).TotalSeconds);
        return failed == 0;
    }

    private static IEnumerable<Subject> Of(Member member) =>
        member.Volume is not null ? [new Subject(SubjectKind.Volume, member.Volume)] : member.Server is not null ? [new Subject(SubjectKind.Server, member.Server)] : [];

    /// <summary>What is known and was not listed may be gone: it is asked for by its id before anything follows from it.</summary>
    private static bool IsMissing(Subject subject, ListedView seen) =>
        subject.Kind == SubjectKind.Server ? !seen.Servers.ContainsKey(subject.Id) : !seen.Volumes.ContainsKey(subject.Id);

    private async Task<bool> IsNewsAsync(
        Subject subject, IReadOnlyDictionary<Subject, Asking> asked, IReadOnlyDictionary<ImageSpec, Member> known, ListedView seen, CancellationToken cancel) =>
        await keeper.PlanAsync(subject, asked.GetValueOrDefault(subject), known, seen, cancel) is { Plan.IsNews: true };

    private async Task<int> ListServersAsync(ListedView seen, HashSet<Subject> subjects, CancellationToken cancel)
    {
        var count = 0;
        await foreach (var server in cloud.Compute.ListServersAsync(new ServerFilter { AllProjects = true }, cancel))
        {
            count++;
            var subject = new Subject(SubjectKind.Server, server.Id);
            if (server.IsUnknown || planner.Asks(server) || subjects.Contains(subject))
            {
                seen.Servers[server.Id] = server;
                _ = server.IsUnknown || subjects.Add(subject);
            }
        }

        return count;
    }

    private async Task<int> ListVolumesAsync(ListedView seen, HashSet<Subject> subjects, CancellationToken cancel)
    {
        var count = 0;
        var attached = seen.Servers.Values.SelectMany(s => s.Volumes ?? []).Select(v => v.Id).ToHashSet();
        await foreach (var volume in cloud.BlockStorage.ListVolumesAsync(new VolumeFilter { AllProjects = true }, cancel))
        {
            count++;
            var subject = new Subject(SubjectKind.Volume, volume.Id);
            var asks = planner.Asks(volume);
            if (asks || attached.Contains(volume.Id) || subjects.Contains(subject))
            {
                seen.Volumes[volume.Id] = volume;
                _ = !asks || subjects.Add(subject);
            }
        }

        return count;
    }

    /// <summary>Snapshots that ask and have not been seen, and those that were and are gone.</summary>
    private async Task<List<Subject>> ListSnapshotsAsync(IReadOnlyDictionary<Subject, Asking> asked, CancellationToken cancel)
    {
        var gone = asked.Keys.Where(s => s.Kind == SubjectKind.Snapshot).ToHashSet();
        var news = new List<Subject>();
        await foreach (var snapshot in cloud.BlockStorage.ListSnapshotsAsync(new SnapshotFilter { AllProjects = true }, cancel))
        {
            var subject = new Subject(SubjectKind.Snapshot, snapshot.Id);
            if (!gone.Remove(subject) && words.AsksForSnapshot(snapshot.Metadata) && snapshot.Status == "available")
            {
                news.Add(subject);
            }
        }

        return [.. news, .. gone];
    }

    private async Task<int> LookAsync(IReadOnlyCollection<Subject> subjects, CancellationToken cancel)
    {
        var failed = 0;
        await Parallel.ForEachAsync(subjects, new ParallelOptions { MaxDegreeOfParallelism = Looks, CancellationToken = cancel }, async (subject, stop) =>
        {
            try
            {
                await keeper.LookAsync(subject, stop);
            }
            catch (RbdBackupException e)
            {
                Interlocked.Increment(ref failed);
                LogLookFailed(subject, e.Message);
            }
        });
        return failed;
    }

    /// <summary>Disks that had a policy once are remembered while their image is there: they may come back.</summary>
    private async Task ForgetAsync(ListedView seen, CancellationToken cancel)
    {
        var gone = new List<ImageSpec>();
        foreach (var member in (await members.ReadAllAsync(cancel)).Values.Where(m => m.Policy is null))
        {
            try
            {
                if (!await seen.HasImageAsync(member.Image, cancel))
                {
                    gone.Add(member.Image);
                }
            }
            catch (RbdBackupException)
            {
                // Nobody can say: it stays.
            }
        }

        if (gone.Count > 0)
        {
            await members.ForgetAsync(gone, cancel);
        }
    }

    [LoggerMessage(4120, LogLevel.Warning, "the cloud could not be compared with what is protected, and is again in a while: {Why} {Remedy}")]
    private partial void LogFailed(string why, string? remedy);

    [LoggerMessage(4121, LogLevel.Information, "{Servers} servers and {Volumes} volumes compared with what is protected: {News} looked at, {Failed} of them in vain, {Seconds:0.0} s")]
    private partial void LogPassed(int servers, int volumes, int news, int failed, double seconds);

    [LoggerMessage(4122, LogLevel.Warning, "{Subject} could not be looked at, and is again in a while: {Why}")]
    private partial void LogLookFailed(Subject subject, string why);
}
