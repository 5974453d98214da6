using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.Networks;

/// <summary>Neutron's networks.</summary>
public sealed class NetworkClient
{
    private readonly ServiceClient _neutron;

    internal NetworkClient(CloudSession session) => _neutron = new ServiceClient(session, ServiceKind.Neutron);

    /// <summary>Whether there is such a network, and we may see it.</summary>
    public Task<bool> HasNetworkAsync(string id, CancellationToken cancel) =>
        _neutron.HasAsync(new(HttpMethod.Get, $"/networks/{ServiceCall.Part(id)}", $"showing the network {id}"), cancel);
}
