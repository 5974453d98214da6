namespace RbdBackup.OpenStack.Compute;

/// <summary>Which servers.</summary>
public sealed record ServerFilter
{
    /// <summary>True for those of every project, which needs a role that may; false for those of our own.</summary>
    public bool AllProjects { get; init; }

    /// <summary>Those of one project; with <see cref="AllProjects"/>.</summary>
    public string? ProjectId { get; init; }

    /// <summary>Those whose name matches this regular expression of the database's.</summary>
    public string? Name { get; init; }

    /// <summary>Those that changed since, deleted ones among them (<see cref="Server.Status"/> is then <c>DELETED</c>).</summary>
    public DateTimeOffset? ChangedSince { get; init; }
}
