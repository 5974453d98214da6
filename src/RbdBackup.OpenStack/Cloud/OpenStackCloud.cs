using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;
using RbdBackup.OpenStack.Identity;
using RbdBackup.OpenStack.Images;
using RbdBackup.OpenStack.Networks;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>
/// A cloud's services, by one login that all share. Nothing is asked before the first call. A call that may be repeated is, bounded, where its failure
/// may pass; any other only where the service did not begin with it. A token that a service no longer takes is replaced.
/// </summary>
public sealed class OpenStackCloud : IDisposable
{
    private readonly CloudSession _session;

    /// <summary>Takes the options; nothing is sent.</summary>
    /// <param name="options">How to reach it.</param>
    /// <param name="logger">Told of requests that are tried again.</param>
    /// <param name="clock">The clock; null for the system's.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/> for an address or a CA file that can't be used.</exception>
    public OpenStackCloud(CloudOptions options, ILogger? logger = null, TimeProvider? clock = null)
    {
        _session = new CloudSession(options, logger ?? NullLogger.Instance, clock ?? TimeProvider.System);
        Identity = new IdentityClient(_session);
        Compute = new ComputeClient(_session);
        BlockStorage = new BlockStorageClient(_session);
        Images = new ImageClient(_session);
        Networks = new NetworkClient(_session);
    }

    /// <summary>Keystone.</summary>
    public IdentityClient Identity { get; }

    /// <summary>Nova.</summary>
    public ComputeClient Compute { get; }

    /// <summary>Cinder.</summary>
    public BlockStorageClient BlockStorage { get; }

    /// <summary>Glance.</summary>
    public ImageClient Images { get; }

    /// <summary>Neutron.</summary>
    public NetworkClient Networks { get; }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();
}
