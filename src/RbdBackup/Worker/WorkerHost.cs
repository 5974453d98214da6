using Microsoft.Extensions.Logging;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;
using RbdBackup.Messaging;
using RbdBackup.Observe;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.Servers;
using RbdBackup.Tenants;
using RbdBackup.Volumes;

namespace RbdBackup.Worker;

/// <summary>
/// The worker's house: requests come in at <see cref="JobIntake"/>, notifications at <see cref="NotificationIntake"/> and <see cref="ReleaseIntake"/>, the
/// hour at <see cref="Scheduler"/>, what others left at <see cref="Reconciler"/> and <see cref="Sweeper"/>; all work goes through the <see cref="Dispatcher"/>,
/// that on whole servers through <see cref="ServerTurns"/>.
/// </summary>
internal sealed class WorkerHost(CommandContext context)
{
    private static readonly TimeSpan CatalogueInterval = TimeSpan.FromMinutes(5);

    /// <summary>Runs until the token is cancelled; running jobs stop where another worker goes on.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var (settings, time, services) = (context.Settings, context.Time, Services.Of(context));
        var urls = QueueFactory.Urls(settings);
        using var exporter = new MetricsExporter("RbdBackup");
        using var metrics = new WorkerMetrics(time);
        await using var repository = await services.OpenRepositoryAsync(create: true, stop);
        await using var cluster = await services.ConnectAsync(stop);
        await using var state = Services.OpenState(cluster);
        var meaning = NotificationIntake.Meaning(settings);
        using var cloud = CloudAccess.OpenToAsk(settings, Log<OpenStackCloud>());
        var activity = cloud is null ? null : new CloudActivity(cloud, meaning, time, Log<CloudActivity>());
        var throttle = services.Throttle();
        var runner = services.Backup(cluster, state, repository, throttle, activity);
        await using var publisher = QueueFactory.OpenEvents(settings, context.Loggers, time);
        var events = new JobEvents(publisher);
        await using var queue = QueueFactory.Open(settings, context.Loggers, time);
        var serverPools = cloud is null ? null : new ServerPools(settings, cloud.Compute, Log<ServerPools>(), time);
        ServerTurns? turns = null;
        var tenants = cloud is null
            ? null
            : new TenantHouse(cloud, settings, cluster, state, serverPools!, meaning, queue.PublishAsync, (request, t) => turns!.AskAsync(request, t), context.Loggers, time);
        using var dispatcher = new Dispatcher(state, runner, services, settings.Jobs, metrics, events, time, Log<Dispatcher>(), tenants);
        var listeners = urls.Select(u => new NotificationListener(u, QueueFactory.Options(settings), time, Log<NotificationListener>())).ToList();

        var servers = cloud is null ? null : ServerServices.BackupsOf(settings, cloud, cluster, state, repository, services, throttle, serverPools!, context.Loggers, time, activity);
        if (tenants is not null)
        {
            var reports = new ServerReports(repository, new Members(state), metrics, events, tenants, Log<ServerReports>());
            turns = new ServerTurns(cloud!, state, repository, servers!, dispatcher, reports, services, settings.Jobs, settings.Ceph.LeaseDuration, time, Log<ServerTurns>());
        }

        var jobs = new JobIntake(cluster, state, dispatcher, Log<JobIntake>());
        using var notifications = new NotificationIntake(settings, meaning, cluster, new Members(state), queue, time, Log<NotificationIntake>());
        var releases = new ReleaseIntake(cluster, services.Releaser(cluster, state), meaning, settings.Pools, new Members(state), metrics, time, Log<ReleaseIntake>());
        var reconciler = new Reconciler(cluster, state, runner, dispatcher, settings.Ceph.LeaseDuration, time, Log<Reconciler>());
        var scheduler = new Scheduler(settings, cluster, state, queue.PublishAsync, time, Log<Scheduler>(), turns is null ? null : turns.AskAsync, tenants is null ? null : tenants.MayAskAsync);
        var sweeper = new Sweeper(services.Sweeps(cluster, state, cloud), settings.Sweep.Interval, metrics, time, Log<Sweeper>());
        var usage = publisher is not null && settings.Notifications.EventsUsage
            ? new UsageTeller(state, repository, publisher, settings.Pools, time, Log<UsageTeller>())
            : null;
        var fills = new FillHost(context, state, repository, events, Log<FillHost>());
        var sources = new HttpSources(new HealthChecks(time), Ready(repository, state, queue, listeners), exporter);
        await using var endpoint = await HttpEndpoint.StartAsync(settings.Http, sources, context.Loggers, stop);
        if (tenants is null)
        {
            context.Note("Nova and Cinder are not asked ([keystone] says nothing, or [tenants] ask_cloud = false): what notifications say is believed, and what they miss is missed");
        }

        context.Note($"worker {Services.Holder} is up; health and metrics at {endpoint.Address}");

        await UntilStoppedAsync(
            [
                t => queue.RunAsync(jobs.HandleAsync, settings.Jobs.Concurrency * settings.AllClusters.Count(), t),
                .. listeners.Select(l => (Func<CancellationToken, Task>)(t => l.RunAsync(
                    async (delivery, ct) =>
                    {
                        await (tenants is null ? notifications.HandleAsync(delivery, ct) : tenants.HandleAsync(delivery, ct));
                        fills.Notice(delivery);
                    },
                    releases.HandleAsync, t))),
                .. tenants?.Parts(() => listeners.SelectMany(l => l.Status)) ?? [],
                fills.RunAsync,
                reconciler.RunAsync,
                scheduler.RunAsync,
                .. servers is null || turns is null ? [] : (Func<CancellationToken, Task>[])[servers.Holds.RunAsync, turns.LookAsync, turns.RunAsync],
                sweeper.RunAsync,
                .. usage is null ? [] : (Func<CancellationToken, Task>[])[usage.RunAsync],
                t => WatchCatalogueAsync(repository, metrics, tenants, t),
            ],
            stop);
    }

    private ILogger<T> Log<T>() => context.Loggers.CreateLogger<T>();

    private HealthChecks Ready(PointRepository repository, IStateStore state, JobQueue queue, List<NotificationListener> listeners)
    {
        var ready = new HealthChecks(context.Time);
        foreach (var name in context.Settings.AllClusters.Select(c => c.Name))
        {
            ready.Add(name is null ? "ceph" : $"ceph:{name}", async cancel =>
            {
                await state.ReadAsync(StateKeys.Ready(name), cancel);
                return null;
            });
        }

        ready.Add("store", async cancel =>
        {
            await repository.Store.CheckAsync(cancel);
            return null;
        });
        ready.Add("broker", _ => Task.FromResult(
            listeners.SelectMany(l => l.Status).Append(queue.Status).FirstOrDefault(s => s.State != LinkState.Connected) is { } link
                ? $"{link.Name} at {link.Broker} is not connected: {link.LastError}"
                : null));
        return ready;
    }

    /// <summary>Reads the catalogue now and then: points that other workers and commands made count for the age of the last good one.</summary>
    private async Task WatchCatalogueAsync(PointRepository repository, WorkerMetrics metrics, TenantHouse? tenants, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(CatalogueInterval, context.Time);
        do
        {
            try
            {
                var from = context.Time.GetUtcNow();
                var (verified, points) = (await VerifiedResults.ReadAsync(repository, null, stop), new List<(Manifest, VerifiedState?)>());
                await foreach (var manifest in repository.ReadNewestAsync(stop))
                {
                    metrics.Saw(manifest);
                    points.Add((manifest, verified.GetValueOrDefault(manifest.Point)));
                }

                metrics.Verified(points);
                tenants?.Saw(points.Select(p => p.Item1), from);
            }
            catch (RbdBackupException e) when (e.IsTransient)
            {
                context.Note($"warning: {e.Message}");
            }
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    /// <summary>One part that ends with an error ends all: a worker that does half of its work looks healthy and is not.</summary>
    private static async Task UntilStoppedAsync(IReadOnlyList<Func<CancellationToken, Task>> parts, CancellationToken stop)
    {
        using var all = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var tasks = parts.Select(p => Task.Run(() => p(all.Token), CancellationToken.None)).ToList();
        var first = await Task.WhenAny(tasks);
        await all.CancelAsync();
        try
        {
            await Task.WhenAll(tasks);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }

        if (first.IsFaulted)
        {
            await first;
        }
    }
}
