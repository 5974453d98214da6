namespace RbdBackup.Core.Jobs;

/// <summary>When a job that failed is tried again, and when no more. Pure.</summary>
/// <param name="MaxTries">How many times it is tried.</param>
/// <param name="Delay">How long after the first failure it is tried again; doubled for each one after it.</param>
/// <param name="Deadline">How old it may become.</param>
public sealed record RetryRule(int MaxTries, TimeSpan Delay, TimeSpan Deadline)
{
    /// <summary>The time of the next try; null where there is none.</summary>
    /// <param name="failed">How many tries failed; at least one.</param>
    /// <param name="created">When the job was asked for.</param>
    /// <param name="now">The time.</param>
    public DateTimeOffset? Next(int failed, DateTimeOffset created, DateTimeOffset now) =>
        failed >= MaxTries || now - created > Deadline ? null : now + (Delay * Math.Pow(2, failed - 1));
}
