using Microsoft.Extensions.Logging;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Servers;
using RbdBackup.Observe;
using RbdBackup.Tenants;
using RbdBackup.Worker;

namespace RbdBackup.Servers;

/// <summary>Tells collectors, metrics and tenants how server points went: each disk's point counts as any other.</summary>
internal sealed partial class ServerReports(PointRepository repository, Members members, WorkerMetrics metrics, JobEvents events, TenantHouse tenants, ILogger log)
{
    /// <summary>Makes a server point, and tells of it.</summary>
    public async Task<ServerPoint> TellAsync(ServerRequest asked, Func<Task<ServerPoint>> work)
    {
        using var scope = log.BeginJobScope(asked.DedupKey.ToString(), $"server {asked.Server}");
        try
        {
            using var running = metrics.Running();
            var point = await events.ServerBackupAsync(asked.Server, asked.Policy, asked.AskedBy.Project, work);
            await EndedAsync(point);
            return point;
        }
        catch (RbdBackupException e) when (e.Kind != ErrorKind.Busy)
        {
            await FailedAsync(asked.Server, e.Kind);
            throw;
        }
    }

    private async Task EndedAsync(ServerPoint point)
    {
        try
        {
            foreach (var disk in point.Disks)
            {
                if (await repository.FindNewestAsync(disk.Disk, disk.Point, CancellationToken.None) is { } made)
                {
                    metrics.Finished(made);
                    tenants.Ended(made);
                }
            }
        }
        catch (RbdBackupException e)
        {
            // The point is there; what is lost is a line of text, and a number until the catalogue is read.
            LogUntold(point.Server, e.Message);
        }
    }

    private async Task FailedAsync(string server, ErrorKind kind)
    {
        try
        {
            foreach (var member in (await members.ReadAsync(CancellationToken.None)).Where(m => m.ByServer && m.Server == server))
            {
                metrics.Failed(member.Image, kind);
                tenants.Failed(member.Image, kind);
            }
        }
        catch (RbdBackupException e)
        {
            LogUntold(server, e.Message);
        }
    }

    [LoggerMessage(4165, LogLevel.Warning, "how the backup of server {Server} ended could not be told: {Why}")]
    private partial void LogUntold(string server, string why);
}
