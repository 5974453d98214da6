using System.Text.Json;
using Microsoft.Extensions.Logging;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Messaging;
using RbdBackup.Observe;
using RbdBackup.OpenStack;

namespace RbdBackup.Volumes;

/// <summary>
/// The worker's part that fills tenants' volumes, where the settings say how to log in to OpenStack. It has a connection to Ceph of its own, as the user that
/// restores: a lock that a dead worker left on an image is broken with that.
/// </summary>
internal sealed partial class FillHost(CommandContext context, IStateStore state, PointRepository repository, JobEvents events, ILogger<FillHost> log)
{
    private readonly TimeSpan _interval = context.Settings.Restore.VolumesInterval;
    private volatile FillWorker? _worker;

    /// <summary>Runs until stopped.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var settings = context.Settings;
        while (!settings.Restore.ForTenants || settings.Keystone.AuthType is null)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, context.Time, stop);
        }

        var services = Services.Of(context);
        using var cloud = CloudAccess.Open(settings, context.Loggers.CreateLogger("RbdBackup.OpenStack"));
        await using var cluster = await ConnectAsync(services, stop);
        var filler = new VolumeFiller(
            cloud, cluster, state, repository, services.RestoreInPlace(cluster, state, repository), events, settings, context.Time, context.Loggers.CreateLogger<VolumeFiller>());
        using var worker = new FillWorker(
            cloud, state, filler, settings.Jobs.RestoreConcurrency, _interval, context.Time, context.Loggers.CreateLogger<FillWorker>());
        _worker = worker;
        try
        {
            await worker.RunAsync(stop);
        }
        finally
        {
            _worker = null;
        }
    }

    /// <summary>Hears of a new volume.</summary>
    public void Notice(NotificationDelivery delivery)
    {
        if (_worker is { } worker && NotificationParser.Parse(delivery.Body, delivery.ContentType) is { EventType: "volume.create.end" } created
            && created.Payload.TryGetProperty("volume_id", out var id) && id.ValueKind == JsonValueKind.String
            && Guid.TryParseExact(id.GetString(), "D", out var volume))
        {
            worker.Offer(volume.ToString("D"));
        }
    }

    /// <summary>Backups go on meanwhile: a host that has no keyring for restores is a host that does not fill volumes.</summary>
    private async Task<IImageCluster> ConnectAsync(Services services, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                return await services.ConnectToRestoreAsync(stop);
            }
            catch (RbdBackupException e)
            {
                LogNotConnected(e.Message, e.Remedy);
                await Task.Delay(_interval, context.Time, stop);
            }
        }
    }

    [LoggerMessage(6050, LogLevel.Warning, "volumes of tenants are not filled here: {Why}. {Remedy}")]
    private partial void LogNotConnected(string why, string? remedy);
}
