namespace RbdBackup.Tenants;

/// <summary>What Nova or Cinder say of a server or a volume, and what that means for its disks.</summary>
/// <param name="Subject">The server or volume.</param>
/// <param name="Project">Its project; null where it is gone.</param>
/// <param name="Policy">The policy that its metadata name, as they name it; null for none.</param>
/// <param name="Now">What its metadata say in the key that asks for a backup at once; null for nothing.</param>
/// <param name="Disks">The volume; or the server's disks and all volumes that it has, or had when it was last looked at.</param>
internal sealed record Survey(Subject Subject, string? Project, string? Policy, string? Now, IReadOnlyList<Disk> Disks)
{
    /// <summary>What is wrong with what it asks; null where nothing is. For the project to read.</summary>
    public string? Problem { get; init; }

    /// <summary>The volumes that were looked at, those among them that are gone too.</summary>
    public IReadOnlyCollection<string> Volumes { get; init; } = [];

    /// <summary>True where it asks for anything.</summary>
    public bool Asks => Policy is not null || Now is not null;

    /// <summary>The same for a project that may not ask: nothing is protected.</summary>
    public Survey RefusedFor(string why) => this with
    {
        Problem = Asks ? why : null,
        Disks = [.. Disks.Select(d => d.Fate == Fate.Unknown ? d : d.Without(why))],
    };
}
