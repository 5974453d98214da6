#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>How the worker runs jobs.</summary>
[Section("jobs", "How the worker runs jobs.")]
public sealed record JobsSettings
{
    [Option("4", "How many backups a worker runs at a time, of each cluster.", Min = "1", Max = "256")]
    public required int Concurrency { get; init; }

    [Option("2", "How many of them in one pool.", Min = "1", Max = "256")]
    public required int PerPool { get; init; }

    [Option("2", "How many restores into tenants' volumes a worker runs at a time, beside the backups.", Min = "1", Max = "256")]
    public required int RestoreConcurrency { get; init; }

    [Option("5", "How often a job is tried before it counts as failed.", Min = "1", Max = "100")]
    public required int MaxAttempts { get; init; }

    [Option("1m", "How long to wait before the second attempt; doubled for each one after it.", Min = "1s", Max = "1d")]
    public required TimeSpan RetryDelay { get; init; }

    [Option("24h", "How long a job may take, all attempts together.", Min = "1m", Max = "30d")]
    public required TimeSpan Deadline { get; init; }

    [Option("7d", "How long finished jobs are listed.", Min = "1h", Max = "366d")]
    public required TimeSpan KeepFinished { get; init; }
}
