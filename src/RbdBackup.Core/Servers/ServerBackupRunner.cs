using System.Buffers;
using Microsoft.Extensions.Logging;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Servers;

/// <summary>
/// Makes a server point: the leases of the server and of all its disks, a job record for each, all snapshots at one moment, then the data of each disk, and only when
/// all of it is stored the manifests, the server's last. If anything fails before that, nothing is left. Killed anywhere, the next backup of a disk clears away what
/// it left of that disk (<see cref="JobFinisher"/>), the server's next one all.
/// </summary>
public sealed partial class ServerBackupRunner(
    BackupRunner backups, IStateStore state, PointRepository repository, string tool, TimeProvider time, ILogger<ServerBackupRunner> log)
{
    private static readonly TimeSpan CancelPoll = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan TidyUp = TimeSpan.FromMinutes(2);

    /// <summary>Makes the server point.</summary>
    /// <param name="ask">What is asked for.</param>
    /// <param name="moment">Holds the guest.</param>
    /// <param name="progress">Told how far it is, disk by disk.</param>
    /// <param name="cancel">Ends it; nothing is left.</param>
    /// <exception cref="RbdBackupException">As the steps give; Busy where another job has the server or one of its disks.</exception>
    public async Task<ServerPoint> RunAsync(ServerBackupAsk ask, IServerMoment moment, IProgressReporter progress, CancellationToken cancel)
    {
        await using var server = await state.AcquireAsync(StateKeys.Server(ask.Server), cancel);
        return await RunAsync(ask, server, moment, progress, cancel);
    }

    /// <summary>The same for who has the lease of the server already, and keeps it.</summary>
    public async Task<ServerPoint> RunAsync(ServerBackupAsk ask, ILease server, IServerMoment moment, IProgressReporter progress, CancellationToken cancel)
    {
        var reference = new ServerPointReference(ask.Point ?? PointId.New(time.GetUtcNow()), ask.Server);
        await moment.ClearAsync(server, cancel);
        var disks = new List<DiskBackup>();
        try
        {
            // In one order for everybody, so that two that share a disk do not each take half.
            foreach (var disk in ask.Disks.OrderBy(d => d.Image.ToString(), StringComparer.Ordinal))
            {
                disks.Add(await backups.OpenAsync(Ask(ask, disk), cancel));
            }

            using var held = CancellationTokenSource.CreateLinkedTokenSource([cancel, server.Lost, .. disks.Select(d => d.Lost)]);
            var point = await StoreAsync(ask, reference, server, disks, moment, progress, held);
            LogCommitted(point.Id, ask.Server, disks.Count, point.Consistency, point.SpreadMs);
            return point;
        }
        catch (RbdBackupException e) when (disks.Count < ask.Disks.Count)
        {
            // No record was written yet that could show it as failed.
            await RecordAsync(ask, reference, e);
            throw Failed(ask, e);
        }
        finally
        {
            foreach (var disk in disks)
            {
                await disk.DisposeAsync();
            }
        }
    }

    private async Task<ServerPoint> StoreAsync(
        ServerBackupAsk ask, ServerPointReference reference, ILease server, List<DiskBackup> disks, IServerMoment moment, IProgressReporter progress, CancellationTokenSource held)
    {
        var (cancelled, committed) = (false, false);
        using var watched = CancellationTokenSource.CreateLinkedTokenSource(held.Token);
        var watch = Task.CompletedTask;
        try
        {
            foreach (var disk in disks)
            {
                await disk.BeginAsync(reference);
            }

            Checkpoints.Pass("server.intent");
            watch = WatchForCancelAsync(disks, watched, () => cancelled = true);
            var taken = await SnapshotAsync(server, disks, moment, watched.Token);
            Checkpoints.Pass("server.snapshots");
            foreach (var disk in disks)
            {
                await disk.PrepareAsync(progress, watched.Token);
            }

            Checkpoints.Pass("server.stored");
            foreach (var disk in disks)
            {
                await disk.CommitAsync(watched.Token);
                Checkpoints.Pass("server.disk");
            }

            var point = Manifest(ask, reference, disks, taken);
            await new ServerPointStore(repository).PutAsync(point, watched.Token);
            committed = true;
            Checkpoints.Pass("server.manifest");
            await ReleaseAsync(disks, held.Token);
            return point;
        }
        catch (Exception e) when (!committed && e is RbdBackupException or OperationCanceledException)
        {
            await GiveUpAsync(ask, disks, cancelled, e);
            throw e is RbdBackupException error ? Failed(ask, error)
                : cancelled ? new RbdBackupException(ErrorKind.Refused, $"the backup of {Title(ask)} was cancelled", "Nothing is left of it.")
                : disks.Any(d => d.Lost.IsCancellationRequested) || server.Lost.IsCancellationRequested
                    ? new RbdBackupException(ErrorKind.Busy, $"a lease of {Title(ask)} was lost while its backup ran", "Run the backup again; it clears away what is left.")
                : e;
        }
        finally
        {
            await watched.CancelAsync();
            await watch;
        }
    }

    private async Task<(DateTimeOffset Moment, long SpreadMs, HeldMoment Held)> SnapshotAsync(ILease server, List<DiskBackup> disks, IServerMoment moment, CancellationToken cancel)
    {
        var (at, spread) = (time.GetUtcNow(), TimeSpan.Zero);
        var held = await moment.DuringAsync(
            server,
            async token =>
            {
                at = time.GetUtcNow();
                var started = time.GetTimestamp();
                await Task.WhenAll(disks.Select(d => d.SnapshotAsync(token)));
                spread = time.GetElapsedTime(started);
            },
            cancel);
        return (at, (long)Math.Ceiling(spread.TotalMilliseconds), held);
    }

    /// <summary>The point is there: what fails now is the next run's, which finds the records.</summary>
    private async Task ReleaseAsync(List<DiskBackup> disks, CancellationToken cancel)
    {
        foreach (var disk in disks)
        {
            try
            {
                await disk.ReleaseAsync(cancel);
            }
            catch (Exception e) when (e is RbdBackupException or OperationCanceledException)
            {
                LogUnreleased(e, disk.Info.Spec);
            }
        }
    }

    /// <summary>Also of a run that was interrupted: whoever takes up a record can't make the others' snapshots of that moment again.</summary>
    private async Task GiveUpAsync(ServerBackupAsk ask, List<DiskBackup> disks, bool cancelled, Exception error)
    {
        using var limit = new CancellationTokenSource(TidyUp, time);
        var why = $"the backup of {Title(ask)} failed: {(error is OperationCanceledException ? "it was interrupted" : error.Message)}";
        foreach (var disk in disks.Where(d => d.IsBegun && !d.Lost.IsCancellationRequested))
        {
            try
            {
                await disk.GiveUpAsync(cancelled ? JobState.Cancelled : JobState.Failed, why, limit.Token);
            }
            catch (Exception e) when (e is RbdBackupException or OperationCanceledException)
            {
                // The first error is what the person needs; the next run of this disk finds the record.
                LogLeft(e, disk.Info.Spec);
            }
        }
    }

    /// <summary>Shows a failure for which no disk has a job.</summary>
    private async Task RecordAsync(ServerBackupAsk ask, ServerPointReference reference, RbdBackupException error)
    {
        var now = time.GetUtcNow();
        var job = new JobRecord
        {
            Point = reference.Id,
            Image = ask.Disks[0].Image.ToString(),
            State = JobState.Failed,
            Attempt = AttemptId.New(),
            SnapshotName = "",
            OwnSnapshot = true,
            Full = ask.Full,
            Policy = ask.Policy,
            CycleDays = ask.CycleDays,
            ServerPoint = reference,
            AskedBy = ask.AskedBy,
            Created = now,
            Tries = 1,
            LastError = Failed(ask, error).Message,
            Ended = now,
        };
        try
        {
            using var limit = new CancellationTokenSource(TidyUp, time);
            await repository.Store.PutAsync(Keys.FinishedJob(job.Point, job.Attempt), new ReadOnlySequence<byte>(job.Write()), limit.Token);
        }
        catch (Exception e) when (e is RbdBackupException or OperationCanceledException)
        {
            LogUnrecorded(e, ask.Server);
        }
    }

    private async Task WatchForCancelAsync(List<DiskBackup> disks, CancellationTokenSource stop, Action onCancel)
    {
        try
        {
            using var timer = new PeriodicTimer(CancelPoll, time);
            while (await timer.WaitForNextTickAsync(stop.Token))
            {
                foreach (var disk in disks)
                {
                    if (await disk.IsCancelledAsync(stop.Token))
                    {
                        onCancel();
                        await stop.CancelAsync();
                    }
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or RbdBackupException)
        {
            // A flag that can't be read now does not end the backup; the leases watch the cluster.
        }
    }

    private ServerPoint Manifest(
        ServerBackupAsk ask, ServerPointReference reference, List<DiskBackup> disks, (DateTimeOffset Moment, long SpreadMs, HeldMoment Held) taken) => new()
        {
            Format = RepositoryFormat.Version,
            RequiredFeatures = [],
            Id = reference.Id,
            Attempt = AttemptId.New(),
            Server = ask.Server,
            Project = ask.Project,
            Name = ask.Name,
            Moment = taken.Moment,
            Consistency = taken.Held.Consistency,
            Asked = taken.Held.Asked,
            WhyNot = taken.Held.WhyNot,
            SpreadMs = taken.SpreadMs,
            HeldMs = taken.Held.HeldMs,
            Disks =
            [
                .. ask.Disks.Select(d => (d, Made: disks.Single(m => m.Info.Spec == d.Image))).Select(p => new ServerPointDisk(
                    p.d.Role, p.d.Volume, p.d.Device, p.d.BootIndex, p.Made.Point, p.Made.Disk, p.d.Image.ToString(), p.Made.Info.Size)),
            ],
            Skipped = ask.Skipped,
            Description = ask.Description,
            AskedBy = ask.AskedBy,
            Policy = ask.Policy,
            Tool = tool,
        };

    private static BackupAsk Ask(ServerBackupAsk ask, ServerDisk disk) => new(
        disk.Image, null, ask.Full, ask.Policy, ask.CycleDays, ask.AskedBy with { Volume = disk.Volume });

    private static string Title(ServerBackupAsk ask) => $"server {ask.Name ?? "?"} ({ask.Server})";

    private static RbdBackupException Failed(ServerBackupAsk ask, RbdBackupException e) =>
        new(e.Kind, $"the backup of {Title(ask)} failed, and none of its {ask.Disks.Count} disks was stored: {e.Message}", e.Remedy, e);

    [LoggerMessage(1010, LogLevel.Information, "server point {Point} of {Server} is committed: {Disks} disks, {Consistency}, snapshots within {SpreadMs} ms")]
    private partial void LogCommitted(PointId point, string server, int disks, Consistency consistency, long spreadMs);

    [LoggerMessage(1011, LogLevel.Warning, "what the server point of {Image} no longer needs could not be released; its next backup does it")]
    private partial void LogUnreleased(Exception error, ImageSpec image);

    [LoggerMessage(1012, LogLevel.Warning, "what a failed server point left of {Image} could not be cleared away; its next backup does it")]
    private partial void LogLeft(Exception error, ImageSpec image);

    [LoggerMessage(1013, LogLevel.Warning, "the failure of the backup of server {Server} could not be recorded")]
    private partial void LogUnrecorded(Exception error, string server);
}
