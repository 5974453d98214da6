using System.CommandLine;
using Microsoft.Extensions.Logging;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;
using RbdBackup.Observe;
using RbdBackup.Servers;
using RbdBackup.Worker;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup worker</c> and <c>schedule --once</c>.</summary>
internal static class WorkerCommand
{
    private static readonly Option<bool> Once = new("--once") { Description = "One pass, for a cron job; the worker does it all the time.", Required = true };

    public static Command Create() =>
        new Command("worker", "Consumes notifications and requests, keeps the schedule, and runs the jobs.")
            .Runs((context, stop) => new WorkerHost(context).RunAsync(stop), LogLevel.Information);

    public static Command CreateSchedule() =>
        new Command("schedule", "Asks for the backups whose turn has come since the last pass: through the queue, or, without a broker, done here.") { Once }
            .Runs(ScheduleAsync);

    private static async Task ScheduleAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var cluster = await services.ConnectAsync(cancel);
        await using var state = Services.OpenState(cluster);
        var requests = new List<BackupRequest>();
        var withBroker = context.Settings.Notifications.TransportUrl.Count > 0;
        await using var queue = withBroker ? QueueFactory.Open(context.Settings, context.Loggers, context.Time) : null;
        var scheduler = new Scheduler(
            context.Settings, cluster, state,
            async (request, ct) =>
            {
                await (queue is null ? JobIntake.RecordAsync(cluster, state, request, ct) : queue.PublishAsync(request, ct));
                requests.Add(request);
            },
            context.Time, context.Loggers.CreateLogger<Scheduler>(),
            context.Settings.Keystone.AuthType is null || !context.Settings.Tenants.AskCloud ? null : async (request, ct) =>
            {
                // Workers find it at their next look.
                await ServerRequests.RecordAsync(state, request, ct);
                context.Note($"server {request.Server} is asked for, by policy {request.Policy}");
            });
        await scheduler.PassAsync(cancel);
        if (!withBroker)
        {
            await RunHereAsync(context, services, cluster, state, cancel);
        }

        context.Output.Write(
            requests.Select(r => new ScheduledDocument(r.Id, r.Image, r.Policy, withBroker)), DocumentJson.Shared.IEnumerableScheduledDocument,
            human => human.Table(["REQUEST", "IMAGE", "POLICY"], requests.Select(r => (string[])[r.Id.ToString(), r.Image.ToString(), r.Policy ?? ""])));
    }

    /// <summary>Without a broker the requests are records in RADOS all the same, so that a pass that dies is taken up by the next.</summary>
    private static async Task RunHereAsync(CommandContext context, Services services, IImageCluster cluster, IStateStore state, CancellationToken cancel)
    {
        await using var repository = await services.OpenRepositoryAsync(create: true, cancel);
        BackupRunner runner = services.Backup(cluster, state, repository, services.Throttle());
        using var metrics = new WorkerMetrics(context.Time);
        using var dispatcher = new Dispatcher(state, runner, services, context.Settings.Jobs, metrics, new JobEvents(null), context.Time, context.Loggers.CreateLogger<Dispatcher>());
        var reconciler = new Reconciler(
            cluster, state, runner, dispatcher, context.Settings.Ceph.LeaseDuration, context.Time, context.Loggers.CreateLogger<Reconciler>());
        await reconciler.PassAsync(cancel);
    }

    /// <summary>A backup whose turn has come, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record ScheduledDocument(Guid Id, ImageSpec Image, string? Policy, bool Queued);
}
