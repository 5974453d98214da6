namespace RbdBackup.Core.Repository;

/// <summary>What a collection found that no manifest refers to, written down so that a later one, after the grace, may delete it.</summary>
/// <param name="Format">The version of the format.</param>
/// <param name="Written">When it was written down.</param>
/// <param name="Candidates">The keys.</param>
public sealed record GarbageList(int Format, DateTimeOffset Written, IReadOnlyList<string> Candidates);
