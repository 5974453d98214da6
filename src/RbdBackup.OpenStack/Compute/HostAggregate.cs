namespace RbdBackup.OpenStack.Compute;

/// <summary>A group of compute hosts that operators make.</summary>
/// <param name="Name">Its name; no other has it.</param>
/// <param name="Hosts">The names of its hosts, as servers show theirs.</param>
public sealed record HostAggregate(string Name, IReadOnlyList<string> Hosts);
