namespace RbdBackup.OpenStack.BlockStorage;

/// <summary>Which volumes.</summary>
public sealed record VolumeFilter
{
    /// <summary>True for those of every project, which needs a role that may; false for those of our own.</summary>
    public bool AllProjects { get; init; }

    /// <summary>Those of one project; with <see cref="AllProjects"/>.</summary>
    public string? ProjectId { get; init; }

    /// <summary>Those of exactly this name.</summary>
    public string? Name { get; init; }
}

/// <summary>Which snapshots.</summary>
public sealed record SnapshotFilter
{
    /// <summary>True for those of every project, which needs a role that may; false for those of our own.</summary>
    public bool AllProjects { get; init; }

    /// <summary>Those of one project; with <see cref="AllProjects"/>.</summary>
    public string? ProjectId { get; init; }

    /// <summary>Those of one volume.</summary>
    public string? VolumeId { get; init; }
}
