namespace RbdBackup.OpenStack.Identity;

/// <summary>A project.</summary>
/// <param name="Id">Its id, 32 hexadecimal digits as a rule.</param>
/// <param name="Name">Its name, unique in its domain.</param>
/// <param name="DomainId">Its domain.</param>
/// <param name="Enabled">False where nobody may log in to it.</param>
/// <param name="Tags">What operators marked it with.</param>
public sealed record Project(string Id, string Name, string? DomainId, bool Enabled, IReadOnlyList<string> Tags);
