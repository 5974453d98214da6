namespace RbdBackup.OpenStack.Compute;

/// <summary>A port of a server.</summary>
/// <param name="PortId">The port.</param>
/// <param name="NetId">Its network.</param>
/// <param name="MacAddr">Its MAC address.</param>
/// <param name="FixedIps">Its addresses.</param>
public sealed record ServerInterface(string PortId, string NetId, string? MacAddr = null, IReadOnlyList<ServerFixedIp>? FixedIps = null);

/// <summary>An address of a port.</summary>
/// <param name="IpAddress">The address.</param>
/// <param name="SubnetId">Its subnet.</param>
public sealed record ServerFixedIp(string IpAddress, string? SubnetId = null);
