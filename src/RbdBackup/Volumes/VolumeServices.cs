using Microsoft.Extensions.Logging;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Volumes;

/// <summary>Puts together what restores into volumes, from a command's settings.</summary>
internal static class VolumeServices
{
    /// <summary>Restores into volumes that are there.</summary>
    public static VolumeRestoreRunner Restore(CommandContext context, OpenStackCloud cloud, IImageCluster cluster, IStateStore state, PointRepository repository)
    {
        var services = Services.Of(context);
        return new(
            cloud, cluster, state, repository, new VolumeImages(cluster, context.Settings.Pools), services.Restore(cluster, state, repository),
            services.RestoreInPlace(cluster, state, repository), services.Naming, context.Time, context.Loggers.CreateLogger<VolumeRestoreRunner>());
    }

    /// <summary>Restores into new volumes.</summary>
    /// <param name="context">The command.</param>
    /// <param name="cloud">The cloud as the user who may do all.</param>
    /// <param name="owner">The cloud as the user in whose project the volume is made.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="state">Leases and records.</param>
    /// <param name="repository">The points.</param>
    public static NewVolumeRunner New(
        CommandContext context, OpenStackCloud cloud, OpenStackCloud owner, IImageCluster cluster, IStateStore state, PointRepository repository) =>
        new(
            cloud, owner, cluster, state, repository, new VolumeImages(cluster, context.Settings.Pools),
            Services.Of(context).RestoreInPlace(cluster, state, repository), context.Time, context.Loggers.CreateLogger<NewVolumeRunner>());
}
